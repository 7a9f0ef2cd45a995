import { defineSettings, setting, type Values } from '../../runtime/settings/define.ts'
import {
  boolean,
  choice,
  duration,
  integer,
  list,
  networks,
  optionalHostname,
  optionalPassword,
  optionalText,
  optionalUrl,
  path,
  port,
  text,
} from '../../runtime/settings/kinds.ts'
import { optionalListen } from '../../runtime/settings/listen.ts'
import { LOG_LEVEL, LOG_SETTINGS } from '../../runtime/settings/log.ts'
import { PROXY_SETTINGS } from '../../runtime/settings/proxy.ts'
import { SHUTDOWN_DELAY } from '../../runtime/settings/shutdown.ts'
import { optionalSyslogUrl } from '../../runtime/settings/syslog.ts'
import { TRANSFER_SETTINGS } from '../../runtime/settings/transfers.ts'
import { liveSettings } from './live-settings.ts'

/** Every setting of an origin: the only list of them. docs/configuration.md is made from it. */
export const originSettings = defineSettings({
  hostname: setting(optionalHostname, undefined, 'The name that clients reach this registry by. Used for `external_url` when that is not set.'),
  external_url: setting(
    optionalUrl,
    undefined,
    'The URL that clients reach this registry by, for instance `https://registry.example.com`. It goes into tokens, challenges and links. When absent, each answer uses the host that its request came to.',
  ),
  'http.host': setting(text, '127.0.0.1', 'The address to listen on; `0.0.0.0` for every one.'),
  'http.port': setting(port, 8080, 'The port to listen on; 0 for any free one.'),
  'https.port': setting(port, 443, 'The port to listen on for https, where there is a certificate; `http.port` then sends everybody there.'),
  'https.certificate': setting(
    optionalText,
    undefined,
    'A file with the certificate (PEM), and after it those between it and an authority that clients trust. With it, this registry is served by https.',
  ),
  'https.private_key': setting(optionalText, undefined, 'A file with the key of that certificate (PEM).'),
  'http.trusted_proxies': setting(
    networks,
    [],
    'The proxies in front of the origin: only what these say is believed of where a request comes from (`X-Forwarded-For`, `X-Forwarded-Proto`, `X-Forwarded-Host`).',
  ),
  data_volume: setting(text, './data', 'The folder for everything that is kept: blobs, the embedded database, generated keys.'),
  admin_password: setting(
    optionalPassword,
    undefined,
    'The first password of `admin`. When absent, one is generated at the first start and printed once.',
    {
      secret: true,
      aliases: ['harbor_admin_password'],
    },
  ),
  secret_key: setting(
    optionalText,
    undefined,
    'The key that secrets at rest are sealed with: 32 bytes in base64. When absent, one is generated at the first start and kept in the data folder.',
    { secret: true },
  ),
  'database.url': setting(
    optionalText,
    undefined,
    'A libSQL server, for instance `libsql://atoll.example.com`. When absent, the database is a file in the data folder.',
  ),
  'database.auth_token': setting(optionalText, undefined, 'The token for the libSQL server.', { secret: true }),
  'storage_service.kind': setting(
    choice('filesystem', 's3'),
    'filesystem',
    'Where blobs are kept: a folder inside `data_volume`, or a bucket; the bucket when absent and `storage_service.s3.bucket` is given.',
  ),
  'storage_service.s3.endpoint': setting(optionalUrl, undefined, 'The URL of the S3 service; absent for AWS itself.', {
    aliases: ['storage_service.s3.regionendpoint'],
  }),
  'storage_service.s3.bucket': setting(optionalText, undefined, 'The bucket; it must exist.'),
  'storage_service.s3.region': setting(text, 'us-east-1', 'The region of the bucket; `auto` for R2.'),
  'storage_service.s3.access_key': setting(optionalText, undefined, 'The access key id.', { aliases: ['storage_service.s3.accesskey'] }),
  'storage_service.s3.secret_key': setting(optionalText, undefined, 'The secret access key.', {
    secret: true,
    aliases: ['storage_service.s3.secretkey'],
  }),
  ...PROXY_SETTINGS,
  'shutdown.delay': SHUTDOWN_DELAY,
  'log.level': LOG_LEVEL,
  ...LOG_SETTINGS,
  'cache.enabled': setting(boolean, true, 'Whether the manifests that were asked for last are kept in memory.'),
  'cache.expire_hours': setting(
    integer(1, 8_760),
    24,
    'Read from Harbor’s files and without meaning here: what is kept in memory is never older than the last change.',
  ),
  'uploads.expire': setting(
    duration(86_400, 365 * 86_400),
    7 * 86_400,
    'How long an upload that nobody goes on with can be taken up again; then it is cancelled.',
  ),
  'history.keep': setting(
    duration(86_400, 3_650 * 86_400),
    90 * 86_400,
    'How long it is kept who pulled what and which jobs ran. Counts and times of the last pull stay.',
  ),
  'audit.syslog.url': setting(
    optionalSyslogUrl,
    undefined,
    'A receiver of syslog (RFC 5424) that the audit log is forwarded to, for instance `tls://logs.example.com:6514`, `tcp://…` or `udp://…`. What it misses while it is away is sent when it is back.',
  ),
  'audit.syslog.ca_file': setting(optionalText, undefined, 'A file with the certificates (PEM) to trust for `tls:`; the system’s when absent.'),
  'outbound.private_networks': setting(
    networks,
    [],
    'Private networks that webhooks may be sent to and customers may be in, for instance `10.20.0.0/16`. Without them, webhooks and deliveries to customers reach public addresses only.',
  ),
  'garbage.grace': setting(
    duration(600, 30 * 86_400),
    7_200,
    'How long blobs that nothing needs are kept before they may be collected: longer than any push takes. The same for every process on one database.',
  ),
  'nearest.networks': setting(
    list,
    [],
    'Which networks of clients are near which edge or region, for instance `10.1.0.0/16=fra-1,10.2.0.0/16=us`: clients there that follow a blob to another host are sent to that edge for it. The smallest network counts.',
  ),
  'nearest.header': setting(
    optionalText,
    undefined,
    'A header in which the trusted proxies (`http.trusted_proxies`) say where a client is, for instance `CF-IPCountry`. It goes before networks.',
  ),
  'nearest.places': setting(list, [], 'Which values of that header are near which edge or region, for instance `DE=fra-1,US=us`.'),
  'http.metrics': setting(
    optionalListen,
    undefined,
    'Where Prometheus finds `/metrics`, for instance `0.0.0.0:9464`; when absent, programs on this machine find it beside the registry.',
  ),
  'metric.enabled': setting(
    boolean,
    false,
    'Whether Prometheus finds the metrics at a port of their own, at the address of `http.host`; as `http.metrics`, in Harbor’s words.',
  ),
  'metric.port': setting(port, 9090, 'That port.'),
  'metric.path': setting(path, '/metrics', 'Where they are at that port.'),
  'transfers.max': TRANSFER_SETTINGS.max,
  'transfers.per_client': TRANSFER_SETTINGS.perClient,
  'transfers.per_project': TRANSFER_SETTINGS.perProject,
  'transfers.waiting': TRANSFER_SETTINGS.waiting,
  'transfers.client_rate': TRANSFER_SETTINGS.clientRate,
  'transfers.project_rate': TRANSFER_SETTINGS.projectRate,
  'token.key_lifetime': setting(
    duration(86_400, 366 * 86_400),
    90 * 86_400,
    'How long a key signs tokens and documents before a new one takes its place. What the old one signed stays good.',
  ),
  'token.lifetime': setting(duration(60, 3_600), 300, 'How long an access token is good for.'),
  'control_plane.enabled': setting(
    boolean,
    true,
    'Whether this origin does the jobs of the control plane (replication) itself. Off when `atoll serve --role control-plane` does.',
  ),
  'control_plane.concurrency': setting(
    integer(1, 64),
    4,
    'Jobs done at once by one control plane. Beyond it, an endpoint (or a kind of jobs that uses none) of which nothing runs may begin one.',
  ),
  ...liveSettings,
})

/** What an origin is started with: a value for each key of the list. */
export type OriginConfig = Values<typeof originSettings>

import { amount } from '../runtime/settings/amount.ts'
import { defineSettings, setting, type Values } from '../runtime/settings/define.ts'
import { choice, duration, list, networks, optionalText, optionalUrl, port, text } from '../runtime/settings/kinds.ts'
import { optionalListen } from '../runtime/settings/listen.ts'
import { LOG_LEVEL } from '../runtime/settings/log.ts'
import { SHUTDOWN_DELAY } from '../runtime/settings/shutdown.ts'
import { TRANSFER_SETTINGS } from '../runtime/settings/transfers.ts'

/** Every setting of an edge: the only list of them. */
export const edgeSettings = defineSettings({
  'edge.host': setting(text, '127.0.0.1', 'The address that the edge listens on; `0.0.0.0` for every one.'),
  'edge.port': setting(port, 8081, 'The port that the edge listens on; 0 for any free one.'),
  'edge.trusted_proxies': setting(
    networks,
    [],
    'The proxies in front of the edge: only what these say is believed of where a request comes from (`X-Forwarded-For`, `X-Forwarded-Proto`, `X-Forwarded-Host`).',
  ),
  'edge.origin_url': setting(optionalUrl, undefined, 'Where its origin is, for instance `https://registry.example.com`.'),
  'edge.enrolment_token': setting(
    optionalText,
    undefined,
    'The one-time token that `atoll edge token` prints. Needed at the first start, and to enrol an edge again that was revoked; the token decides the name and region of the edge.',
    { secret: true },
  ),
  'edge.url': setting(
    optionalUrl,
    undefined,
    'The URL that clients reach this edge by. It goes into challenges; when absent, each answer uses the host that its request came to.',
  ),
  'edge.metrics': setting(
    optionalListen,
    undefined,
    'Where Prometheus finds `/metrics`, for instance `0.0.0.0:9464`; when absent, programs on this machine find it beside the registry.',
  ),
  'edge.mirror.project': setting(
    optionalText,
    undefined,
    'The proxy-cache project that answers dockerd’s `registry-mirrors`, which means Docker Hub and does not say so: requests for `library/…` and for names that are no project here go to it.',
  ),
  'edge.mirror.host': setting(
    optionalText,
    undefined,
    'The host (with its port) by which such requests come, for instance `mirror.example.com`: then all of them mean Docker Hub, and no others.',
  ),
  'edge.data_volume': setting(text, './data/edge', 'The folder for what the edge keeps: its key, the origin’s documents, and the cache.'),
  'edge.grace': setting(duration(0, 30 * 86_400), 86_400, 'How long an edge that has lost its origin goes on trusting what it knows.'),
  'edge.neighbours': setting(
    choice('region', 'all', 'off'),
    'region',
    'Which other edges this one shares the fetching of blobs with, so that their source gives each blob once: those of its own region, all, or none.',
  ),
  'edge.nearest.networks': setting(
    list,
    [],
    'For an edge that answers to a global name: which networks of clients are near which edge or region, for instance `10.1.0.0/16=fra-1`. Clients there that follow a blob to another host are sent to that edge for it.',
  ),
  'edge.nearest.header': setting(
    optionalText,
    undefined,
    'A header in which the trusted proxies (`edge.trusted_proxies`) say where a client is. It goes before networks.',
  ),
  'edge.nearest.places': setting(list, [], 'Which values of that header are near which edge or region, for instance `DE=fra-1,US=us`.'),
  'edge.storage.kind': setting(
    choice('filesystem', 's3'),
    'filesystem',
    'Where cached blobs are kept: a folder inside `edge.data_volume`, or a bucket.',
  ),
  'edge.cache.max_bytes': setting(
    amount,
    { percent: 80 },
    'How much cached blobs may take: an amount, or a share of the disk. What was used longest ago makes room. For a bucket a share is no limit.',
  ),
  'edge.cache.min_free': setting(
    amount,
    { percent: 5 },
    'What the disk must have left: the cache gives way when others fill it. Without meaning for a bucket.',
  ),
  'edge.cache.pins': setting(
    list,
    [],
    'What never makes room: repositories, or what some of their tags point at, for instance `library/*, team/app:v*`. A star stands for any characters.',
  ),
  'edge.storage.s3.endpoint': setting(optionalUrl, undefined, 'The URL of the S3 service; absent for AWS itself.'),
  'edge.storage.s3.bucket': setting(optionalText, undefined, 'The bucket; it must exist.'),
  'edge.storage.s3.region': setting(text, 'us-east-1', 'The region of the bucket; `auto` for R2.'),
  'edge.storage.s3.access_key': setting(optionalText, undefined, 'The access key id.'),
  'edge.storage.s3.secret_key': setting(optionalText, undefined, 'The secret access key.', { secret: true }),
  'edge.transfers.max': TRANSFER_SETTINGS.max,
  'edge.transfers.per_client': TRANSFER_SETTINGS.perClient,
  'edge.transfers.per_project': TRANSFER_SETTINGS.perProject,
  'edge.transfers.waiting': TRANSFER_SETTINGS.waiting,
  'edge.transfers.client_rate': TRANSFER_SETTINGS.clientRate,
  'edge.transfers.project_rate': TRANSFER_SETTINGS.projectRate,
  'shutdown.delay': SHUTDOWN_DELAY,
  'log.level': LOG_LEVEL,
})

/** What an edge is started with: a value for each key of the list. */
export type EdgeConfig = Values<typeof edgeSettings>

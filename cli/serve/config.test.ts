import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { SettingsError } from '../../runtime/settings/read.ts'
import { type Config, type ReadConfig, readConfig } from './config.ts'
import { startFailure } from './failures.ts'

async function read(text: string): Promise<ReadConfig> {
  const cwd = await mkdtemp(join(tmpdir(), 'atoll-config-'))
  onTestFinished(() => rm(cwd, { recursive: true }))
  await writeFile(join(cwd, 'harbor.yml'), text)
  return await readConfig({ config: 'harbor.yml', env: {}, cwd })
}

/** What is not commented out in the file that Harbor's installer brings, with a log and a bucket as its administrators write them. */
const HARBORS = `hostname: reg.example.com
http:
  port: 80
harbor_admin_password: Harbor12345
database:
  password: root123
  max_idle_conns: 100
  max_open_conns: 900
  conn_max_lifetime: 5m
  conn_max_idle_time: 0
data_volume: /data
storage_service:
  s3:
    accesskey: key
    secretkey: secret
    region: us-west-1
    regionendpoint: https://s3.example.com
    bucket: images
    v4auth: true
trivy:
  ignore_unfixed: false
  timeout: 5m0s
jobservice:
  max_job_workers: 10
  job_loggers: [STD_OUTPUT, FILE]
notification:
  webhook_job_max_retry: 3
log:
  level: warning
  local:
    rotate_count: 50
    rotate_size: 200M
    location: /var/log/harbor
_version: 2.14.0
proxy:
  http_proxy:
  no_proxy:
  components: [core, jobservice, trivy]
upload_purging:
  enabled: true
  age: 168h
cache:
  enabled: false
  expire_hours: 24
`

test('a harbor.yml will do: what it says of parts that are not here is passed over, and told', async () => {
  const { config, passedOver } = await read(HARBORS)
  expect(config).toMatchObject({
    hostname: 'reg.example.com',
    'http.port': 80,
    'log.level': 'warn',
    'storage_service.kind': 's3',
    'storage_service.s3.endpoint': 'https://s3.example.com',
    'storage_service.s3.access_key': 'key',
    'storage_service.s3.secret_key': 'secret',
    'log.local.rotate_size': 200 * 1024 ** 2,
  })
  expect(passedOver).toEqual([
    'harbor.yml:6: database.password',
    'harbor.yml:7: database.max_idle_conns',
    'harbor.yml:8: database.max_open_conns',
    'harbor.yml:9: database.conn_max_lifetime',
    'harbor.yml:10: database.conn_max_idle_time',
    'harbor.yml:19: storage_service.s3.v4auth',
    'harbor.yml:20: trivy',
    'harbor.yml:23: jobservice',
    'harbor.yml:26: notification',
    'harbor.yml:34: _version',
    'harbor.yml:39: upload_purging',
  ])
})

test('what is commented out in that file may be there', async () => {
  const { passedOver } = await read(
    'storage_service:\n  ca_bundle:\n  filesystem:\n    maxthreads: 100\n  redirect:\n    disable: false\nuaa:\n  ca_file: /a\n',
  )
  expect(passedOver).toEqual([
    'harbor.yml:2: storage_service.ca_bundle',
    'harbor.yml:3: storage_service.filesystem',
    'harbor.yml:5: storage_service.redirect',
    'harbor.yml:7: uaa',
  ])
})

test('what is wrong with a setting when it is used has its line, too', async () => {
  const { given } = await read('https:\n  certificate: /nope.pem\n  private_key: /nope.key\n')
  const failure = startFailure(new SettingsError(['https.certificate: /nope.pem cannot be read']), { config: {} as Config, given })
  expect(failure).toMatchObject({ message: 'harbor.yml:2: https.certificate: /nope.pem cannot be read' })
})

test('what would keep data elsewhere is refused', async () => {
  await expect(read('external_database:\n  harbor:\n    host: db.example.com\n')).rejects.toThrow(
    'harbor.yml:1: there is no setting external_database',
  )
  await expect(read('storage_service:\n  gcs:\n    bucket: images\n')).rejects.toThrow('harbor.yml:2: there is no setting storage_service.gcs')
  await expect(read('storage_service:\n  s3:\n    rootdirectory: /a\n')).rejects.toThrow('there is no setting storage_service.s3.rootdirectory')
})

test.each(['a b', 'https://reg.example.com', 'reg.example.com/', '-a'])('%s is no host', async (hostname) => {
  await expect(read(`hostname: "${hostname}"\n`)).rejects.toThrow('hostname: expected the name of a host')
})

test.each(['reg.example.com', '10.0.0.1', '::1', 'registry'])('%s is one', async (hostname) => {
  expect((await read(`hostname: "${hostname}"\n`)).config.hostname).toBe(hostname)
})

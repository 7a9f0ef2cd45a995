import { join } from 'node:path'
import { ADMIN_PASSWORD, type AtollProcess, startAtoll } from '../../support/atoll.ts'
import { must } from '../../support/run.ts'
import { pushBlob, pushManifest, randomFile } from '../images.ts'
import { upload } from '../load.ts'
import { MemoryTable } from './processes.ts'

const CLI = new URL('../../../cli/atoll', import.meta.url).pathname
const REPLICATION_MS = 600_000
const QUIET = { ATOLL_LOG_LEVEL: 'error' }

/** An image with one layer of this size goes from one origin to another, pushed and then pulled by a control plane of its own process. */
export async function replicationMemory(layerSize: number): Promise<void> {
  await using source = await startAtoll({ role: 'origin', env: { ...QUIET, ATOLL_CONTROL_PLANE_ENABLED: 'false' } })
  await using target = await startAtoll({ role: 'origin', env: { ...QUIET, ATOLL_CONTROL_PLANE_ENABLED: 'false' } })
  await using pushing = await controlPlaneOf(source)
  await using pulling = await controlPlaneOf(target)
  await atoll(source, ['replicate', 'endpoint', 'add', 'peer', `http://${target.origin}`, '--login', 'admin'])
  await atoll(target, ['replicate', 'endpoint', 'add', 'peer', `http://${source.origin}`, '--login', 'admin'])
  await atoll(source, ['replicate', 'rule', 'create', 'push', '--push-to', 'peer', '--repository', 'pushed/**'])
  await atoll(target, ['replicate', 'rule', 'create', 'pull', '--pull-from', 'peer', '--repository', 'pulled/**'])
  const table = new MemoryTable(`Peak resident memory, a layer of ${layerSize / 1_073_741_824} GiB from site to site`, {
    source: source.pid,
    target: target.pid,
    'control plane that pushes': pushing.pid,
    'control plane that pulls': pulling.pid,
  })
  await table.begin()
  await table.step('push to the source', () => pushImage(source, 'pushed/app', layerSize))
  await table.step('replication by push', () => atoll(source, ['replicate', 'run', 'push', '--wait']))
  await pushImage(source, 'pulled/app', layerSize)
  await table.step('replication by pull', () => atoll(target, ['replicate', 'run', 'pull', '--wait']))
}

async function controlPlaneOf(origin: AtollProcess): Promise<AtollProcess> {
  return await startAtoll({ role: 'control-plane', ready: [], env: { ...QUIET, ATOLL_DATA_VOLUME: join(origin.data, 'data') } })
}

async function pushImage(site: AtollProcess, repository: string, layerSize: number): Promise<void> {
  await atoll(site, ['project', 'create', repository.slice(0, repository.indexOf('/'))])
  const target = { host: site.origin, repository, headers: { authorization: `Basic ${btoa(`admin:${ADMIN_PASSWORD}`)}` } }
  await using config = await randomFile(2_000)
  await using layer = await randomFile(layerSize)
  await pushBlob(upload, target, config)
  await pushBlob(upload, target, layer)
  await pushManifest(target, 'v1', config, [layer])
}

/** The command line at a site; a password it asks for is the administrator's. */
async function atoll(site: AtollProcess, args: readonly string[]): Promise<void> {
  const env = { HOME: site.data, ATOLL_SERVER: `http://${site.origin}`, ATOLL_USERNAME: 'admin', ATOLL_PASSWORD: ADMIN_PASSWORD }
  await must(CLI, args, { env, input: `${ADMIN_PASSWORD}\n`, deadlineMs: REPLICATION_MS })
}

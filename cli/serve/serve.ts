import type { EdgeConfig } from '../../edge/settings.ts'
import { pause, systemClock } from '../../registry/clock.ts'
import { mendPlatformFetch } from '../../runtime/fetch.ts'
import { type Config, type ReadConfig, readConfig } from './config.ts'
import { type FolderSetting, prepareDataFolder, takeDataFolder } from './data-folder.ts'
import { startDrillProcess } from './drill-process.ts'
import { startFailure } from './failures.ts'
import type { Role } from './roles.ts'
import { Running } from './running.ts'
import { untilStopped } from './signals.ts'

export interface ServeOptions {
  /** undefined: an origin with its control plane, and one edge beside it. */
  readonly role: Role | undefined
  readonly config: string | undefined
  readonly env: NodeJS.ProcessEnv
  readonly cwd: string
}

/** The name of the edge that lives in the same process as its origin. */
const OWN_EDGE = 'local'

/** Runs what the role asks for until the process is told to stop. @throws CliError for what the person who starts it can mend */
export async function serve({ role, ...sources }: ServeOptions): Promise<void> {
  mendPlatformFetch()
  let read: ReadConfig | undefined
  await using running = new Running()
  try {
    read = await readConfig(sources)
    const { config } = read
    for (const key of read.passedOver) process.stderr.write(`${key} means nothing here and is passed over.\n`)
    for (const { key, own } of foldersOf(role)) {
      await prepareDataFolder(key, config[key])
      if (own) {
        const lock = await takeDataFolder(key, config[key])
        running.adopt({ close: async () => lock.release() })
      }
    }
    await start(running, role, config, new Set(read.given.keys()))
  } catch (error) {
    throw startFailure(error, read)
  }
  await untilStopped()
  running.leave()
  await pause(systemClock, read.config['shutdown.delay'] * 1000)
}

/** The folders that a role works in, and whether as the only one. */
function foldersOf(role: Role | undefined): readonly { readonly key: FolderSetting; readonly own: boolean }[] {
  const origin = { key: 'data_volume', own: role !== 'control-plane' } as const
  const edge = { key: 'edge.data_volume', own: true } as const
  if (role === undefined) return [origin, edge]
  return role === 'edge' ? [edge] : [origin]
}

async function start(running: Running, role: Role | undefined, config: Config, fixed: ReadonlySet<string>): Promise<void> {
  if (role === 'edge') {
    await startEdge(running, config)
  } else if (role === 'control-plane') {
    const { openOrigin } = await import('../../origin/open.ts')
    const { createLogger } = await import('../../runtime/logger.ts')
    const { logDestination } = await import('../../runtime/settings/log.ts')
    const destination = await logDestination(config)
    const log = createLogger({ level: config['log.level'], ...(destination && { destination }) })
    const origin = running.adopt(await openOrigin({ config, fixed, log, clock: systemClock, watching: true }))
    await startControlPlane(running, origin)
    log.info({}, 'The control plane works.')
  } else {
    const { startOrigin } = await import('../../origin/main.ts')
    const origin = running.adopt(await startOrigin(config, { fixed, startDrillProcess, inner: role === undefined }))
    if (config['control_plane.enabled']) await startControlPlane(running, origin.open)
    if (role === undefined) {
      const { enrolmentTokenFor } = await import('../../origin/mesh/enrolment-tokens.ts')
      await startEdge(running, { ...config, 'edge.origin_url': config['edge.origin_url'] ?? origin.innerUrl }, () =>
        enrolmentTokenFor(origin.services, { name: OWN_EDGE, region: OWN_EDGE, replace: true }),
      )
    }
  }
}

async function startEdge(running: Running, config: EdgeConfig, enrolmentToken?: () => Promise<string>): Promise<void> {
  const { startEdge: start } = await import('../../edge/node.ts')
  running.adopt(await start({ config, ...(enrolmentToken && { enrolmentToken }) }))
}

async function startControlPlane(running: Running, origin: import('../../origin/open.ts').OpenOrigin): Promise<void> {
  const { ControlPlaneOfPrimary } = await import('./control-plane-of-primary.ts')
  running.adopt(await ControlPlaneOfPrimary.start(origin))
}

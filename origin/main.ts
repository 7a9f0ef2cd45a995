import { type Clock, systemClock } from '../registry/clock.ts'
import { type HttpServer, serveHttp } from '../runtime/http-server.ts'
import { createLogger } from '../runtime/logger.ts'
import { Exposition } from '../runtime/observe/metrics-page.ts'
import { AnswerTimes } from '../runtime/observe/times.ts'
import { originApp, SECURITY_HEADERS, STRICT_TRANSPORT } from './app.ts'
import type { OriginConfig } from './config/settings.ts'
import { ADMIN } from './first-start.ts'
import { originMetrics } from './metrics.ts'
import { type OpenOrigin, openOrigin } from './open.ts'
import type { OriginServices } from './services.ts'

export interface RunningOrigin {
  /** Where it listens. */
  readonly url: string
  readonly services: OriginServices
  /** What it is made of, for a control plane in the same process. */
  readonly open: OpenOrigin
  /** The administrator's password, if this start made it. */
  readonly madePassword: string | undefined
  /** Where `/metrics` is by itself; undefined: beside the registry. */
  readonly metricsUrl: string | undefined
  /** Tells load balancers to send nothing more; everything is answered all the same. */
  leave(): void
  close(): Promise<void>
}

export interface StartOptions {
  /** Shows a person what is said only once. Standard output when absent. */
  readonly print?: (text: string) => void
  /** The settings that file or environment gave. */
  readonly fixed?: ReadonlySet<string>
  /** Instead of the system's, for tests. */
  readonly clock?: Clock
}

/** Starts an origin in this process; resolves when it listens. @throws SettingsError, and the system's error when the port is taken */
export async function startOrigin(config: OriginConfig, options: StartOptions = {}): Promise<RunningOrigin> {
  const print = options.print ?? ((text: string) => process.stdout.write(text))
  const log = createLogger({ level: config['log.level'] })
  const startedAt = systemClock.now()
  const origin = await openOrigin({ config, ...(options.fixed && { fixed: options.fixed }), log, clock: options.clock ?? systemClock })
  let metrics: HttpServer | undefined
  let leaving = false
  try {
    const times = new AnswerTimes()
    const page = new Exposition(originMetrics(origin), times)
    const separate = config['http.metrics']
    if (separate !== undefined) metrics = await page.serve(separate, log)
    const server = await serveHttp({
      fetch: originApp(origin, {
        admission: {
          max: config['transfers.max'],
          perClient: config['transfers.per_client'],
          perProject: config['transfers.per_project'],
          waiting: config['transfers.waiting'],
          clientRate: config['transfers.client_rate'],
          projectRate: config['transfers.project_rate'],
        },
        times,
        ...(separate === undefined && { page }),
        leaving: () => leaving,
      }),
      headers: config.external_url?.startsWith('https:') ? { ...SECURITY_HEADERS, ...STRICT_TRANSPORT } : SECURITY_HEADERS,
      host: config['http.host'],
      port: config['http.port'],
      trustedProxies: config['http.trusted_proxies'],
      log,
    })
    if (origin.madePassword !== undefined) print(banner(server.url, origin.madePassword))
    log.info({ url: server.url, ms: systemClock.now() - startedAt }, 'The origin listens.')
    return {
      url: server.url,
      services: origin.services,
      open: origin,
      madePassword: origin.madePassword,
      metricsUrl: metrics?.url,
      leave: () => {
        leaving = true
      },
      close: async () => {
        // Feeds have no end of their own, and would hold the server open.
        origin.mesh.close()
        await server.close()
        await metrics?.close()
        await origin.close()
      },
    }
  } catch (error) {
    await metrics?.close()
    await origin.close()
    throw error
  }
}

function banner(url: string, password: string): string {
  return `
  Atoll is ready at ${url}

    user      ${ADMIN}
    password  ${password}

  The password is shown this once. Change it after the first login.

`
}

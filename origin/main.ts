import { type Clock, systemClock } from '../registry/clock.ts'
import { type HttpServer, serveHttp } from '../runtime/http-server.ts'
import { createLogger } from '../runtime/logger.ts'
import { Exposition } from '../runtime/observe/metrics-page.ts'
import { AnswerTimes } from '../runtime/observe/times.ts'
import { logDestination } from '../runtime/settings/log.ts'
import { originApp, SECURITY_HEADERS, STRICT_TRANSPORT } from './app.ts'
import type { OriginConfig } from './config/settings.ts'
import { ADMIN } from './first-start.ts'
import { readTls, redirectToHttps } from './https.ts'
import { configuredUrl } from './identity/base-url.ts'
import { originMetrics } from './metrics.ts'
import { type OpenOrigin, type OriginOptions, openOrigin } from './open.ts'
import type { OriginServices } from './services.ts'

export interface RunningOrigin {
  /** Where it listens. */
  readonly url: string
  readonly services: OriginServices
  /** What it is made of, for a control plane in the same process. */
  readonly open: OpenOrigin
  /** The administrator's password, if this start made it. */
  readonly madePassword: string | undefined
  /** Where an edge of this process finds it; the same, unless that is by https. */
  readonly innerUrl: string
  /** Where `/metrics` is by itself; undefined: beside the registry. */
  readonly metricsUrl: string | undefined
  /** Tells load balancers to send nothing more; everything is answered all the same. */
  leave(): void
  close(): Promise<void>
}

export interface StartOptions {
  /** Shows a person what is said only once. Standard output when absent. */
  readonly print?: (text: string) => void
  /** Whether an edge of this process will ask it. */
  readonly inner?: boolean
  /** The settings that file or environment gave. */
  readonly fixed?: ReadonlySet<string>
  /** Starts an origin of its own for a drill. */
  readonly startDrillProcess?: OriginOptions['startDrillProcess'] | undefined
  /** Instead of the system's, for tests. */
  readonly clock?: Clock
}

/** Starts an origin in this process; resolves when it listens. @throws SettingsError, and the system's error when the port is taken */
export async function startOrigin(config: OriginConfig, options: StartOptions = {}): Promise<RunningOrigin> {
  const print = options.print ?? ((text: string) => process.stdout.write(text))
  const destination = await logDestination(config)
  const log = createLogger({ level: config['log.level'], ...(destination && { destination }) })
  const startedAt = systemClock.now()
  const { fixed, startDrillProcess, clock = systemClock } = options
  const origin = await openOrigin({ config, ...(fixed && { fixed }), log, clock, startDrillProcess })
  const others: HttpServer[] = []
  let leaving = false
  try {
    const times = new AnswerTimes()
    const tls = await readTls(config)
    const named = config['http.metrics']
    const page = new Exposition(originMetrics(origin), times, named === undefined ? config['metric.path'] : undefined)
    const separate = named ?? (config['metric.enabled'] ? { host: config['http.host'], port: config['metric.port'] } : undefined)
    const metrics = separate && (await page.serve(separate, log))
    if (metrics !== undefined) others.push(metrics)
    const answer = originApp(origin, {
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
    })
    const secure = tls !== undefined || configuredUrl(config)?.startsWith('https:')
    const common = {
      headers: secure ? { ...SECURITY_HEADERS, ...STRICT_TRANSPORT } : SECURITY_HEADERS,
      host: config['http.host'],
      trustedProxies: config['http.trusted_proxies'],
      log,
    }
    const server = await serveHttp({ ...common, fetch: answer, port: tls ? config['https.port'] : config['http.port'], ...(tls && { tls }) })
    others.push(server)
    let innerUrl = server.url
    if (tls !== undefined) {
      const redirect = redirectToHttps(config, server.port, (request) => answer(request, { remoteAddress: '' }))
      others.push(await serveHttp({ ...common, fetch: redirect, port: config['http.port'] }))
      if (options.inner === true) {
        // The edge beside us need not trust our certificate.
        const inner = await serveHttp({ fetch: answer, host: '127.0.0.1', port: 0, log })
        others.push(inner)
        innerUrl = inner.url
      }
    }
    if (origin.madePassword !== undefined) print(banner(server.url, origin.madePassword))
    log.info({ url: server.url, ms: systemClock.now() - startedAt }, 'The origin listens.')
    return {
      url: server.url,
      services: origin.services,
      innerUrl,
      open: origin,
      madePassword: origin.madePassword,
      metricsUrl: metrics?.url,
      leave: () => {
        leaving = true
      },
      close: async () => {
        // Feeds have no end of their own, and would hold the server open.
        origin.mesh.close()
        await Promise.all(others.map((each) => each.close()))
        await origin.close()
      },
    }
  } catch (error) {
    await Promise.all(others.map((each) => each.close()))
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

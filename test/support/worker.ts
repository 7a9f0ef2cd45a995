import { Miniflare } from 'miniflare'
import { bundleWorker, WORKER_OPTIONS } from '../edge/worker-support.ts'
import { until } from './until.ts'

/** The Cloudflare edge in workerd, enrolled at an origin that runs elsewhere on this machine. */
export interface AtollWorker extends AsyncDisposable {
  /** `127.0.0.1:port` */
  readonly host: string
}

export interface AtollWorkerOptions {
  readonly origin: string
  readonly admin: { readonly username: string; readonly password: string }
}

export async function startAtollWorker({ origin, admin }: AtollWorkerOptions): Promise<AtollWorker> {
  const enrolment = await fetch(`${origin}/api/atoll/v1/edges`, {
    method: 'POST',
    headers: { authorization: `Basic ${btoa(`${admin.username}:${admin.password}`)}`, 'content-type': 'application/json' },
    body: JSON.stringify({ name: `worker-${Date.now()}`, region: 'eu' }),
  })
  if (enrolment.status !== 201) throw new Error(`no token for the worker: ${enrolment.status} ${await enrolment.text()}`)
  const { token } = (await enrolment.json()) as { token: string }
  const miniflare = new Miniflare({
    ...WORKER_OPTIONS,
    script: await bundleWorker(),
    bindings: { ORIGIN_URL: origin, ENROLMENT_TOKEN: token, GRACE: '3600', REGIONS: '' },
  })
  const { host, origin: url } = await miniflare.ready
  await until('the worker is connected', async () => {
    const health = (await (await fetch(`${url}/healthz`)).json()) as { status: string }
    return health.status === 'connected'
  })
  return { host, [Symbol.asyncDispose]: () => miniflare.dispose() }
}

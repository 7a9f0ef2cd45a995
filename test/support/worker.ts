import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import { Miniflare } from 'miniflare'
import { bundleWorker, WORKER_OPTIONS } from '../edge/worker-support.ts'
import { childrenNamed } from './processes.ts'
import { until } from './until.ts'

/** The Cloudflare edge in workerd, enrolled at an origin that runs elsewhere on this machine. */
export interface AtollWorker extends AsyncDisposable {
  /** `127.0.0.1:port` */
  readonly host: string
  /** The same without the front that keeps TLS away: workerd's own socket. */
  readonly direct: string
  /** Of workerd. */
  readonly pid: number
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
  const others = await childrenNamed('workerd')
  const miniflare = new Miniflare({
    ...WORKER_OPTIONS,
    script: await bundleWorker(),
    bindings: { ORIGIN_URL: origin, ENROLMENT_TOKEN: token, GRACE: '3600', REGIONS: '' },
  })
  const { host: inner, origin: url } = await miniflare.ready
  await until('the worker is connected', async () => {
    const health = (await (await fetch(`${url}/healthz`)).json()) as { status: string }
    return health.status === 'connected'
  })
  const [pid] = (await childrenNamed('workerd')).filter((child) => !others.includes(child))
  if (pid === undefined) throw new Error('no child process is named workerd')
  const front = await refuseTls(inner)
  return {
    host: front.host,
    direct: inner,
    pid,
    async [Symbol.asyncDispose]() {
      await front.close()
      await miniflare.dispose()
    },
  }
}

const TLS_HANDSHAKE = 0x16

/** Clients that try TLS first would wait for workerd, which takes the greeting for the start of a slow request. Everything else passes. */
async function refuseTls(target: string): Promise<{ host: string; close(): Promise<void> }> {
  const port = Number(target.slice(target.lastIndexOf(':') + 1))
  const server = createServer((client) => {
    client.on('error', () => client.destroy())
    client.once('data', (first) => {
      if (first[0] === TLS_HANDSHAKE) {
        client.destroy()
        return
      }
      const worker = connect(port, '127.0.0.1')
      worker.on('error', () => client.destroy())
      worker.write(first)
      client.pipe(worker).pipe(client)
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  return {
    host: `127.0.0.1:${address.port}`,
    async close() {
      server.close()
    },
  }
}

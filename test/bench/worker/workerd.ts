import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { bundleWorker, WORKER_OPTIONS } from '../../edge/worker-support.ts'
import { until } from '../../support/until.ts'
import { startBucket } from './bucket.ts'

const WORKERD = fileURLToPath(import.meta.resolve('workerd/bin/workerd'))

/** The Worker in a workerd of its own, which holds nothing else: its bucket is a service of another process, as on Cloudflare. */
export interface BareWorker extends AsyncDisposable {
  readonly host: string
  readonly pid: number
  /** `127.0.0.1:port` of its inspector. */
  readonly inspector: string
}

export async function startBareWorker(origin: string, enrolmentToken: string): Promise<BareWorker> {
  const bucket = await startBucket()
  const folder = await mkdtemp(join(tmpdir(), 'atoll-workerd-'))
  await writeFile(join(folder, 'worker.js'), await bundleWorker())
  await writeFile(join(folder, 'config.capnp'), config({ origin, enrolmentToken, bucket: bucket.host, folder }))
  const child = spawn(WORKERD, ['serve', '--control-fd=3', '--inspector-addr=127.0.0.1:0', join(folder, 'config.capnp')], {
    stdio: ['ignore', 'inherit', 'inherit', 'pipe'],
    env: {},
  })
  const exited = once(child, 'exit')
  const dispose = async () => {
    child.kill('SIGKILL')
    await exited
    await rm(folder, { recursive: true, force: true })
    await bucket[Symbol.asyncDispose]()
  }
  const [, , , control] = child.stdio
  if (control === null || control === undefined || !('read' in control)) throw new Error('workerd has nothing to tell its port with')
  const ports = new Map<string, number>()
  const ready = Promise.withResolvers<void>()
  createInterface({ input: control }).on('line', (line) => {
    const { event, socket, port } = JSON.parse(line) as { event: string; socket?: string; port: number }
    ports.set(socket ?? event, port)
    if (ports.has('http') && ports.has('listen-inspector')) ready.resolve()
  })
  await Promise.race([ready.promise, exited.then(([code]) => Promise.reject(new Error(`workerd ended with ${code}`)))])
  const host = `127.0.0.1:${ports.get('http')}`
  await until('the worker is connected', async () => {
    const health = (await (await fetch(`http://${host}/healthz`)).json()) as { status: string }
    return health.status === 'connected'
  })
  return { host, pid: child.pid ?? 0, inspector: `127.0.0.1:${ports.get('listen-inspector')}`, [Symbol.asyncDispose]: dispose }
}

/** As wrangler.toml has it, in workerd's own words. */
function config({ origin, enrolmentToken, bucket, folder }: { origin: string; enrolmentToken: string; bucket: string; folder: string }): string {
  const quote = (text: string) => JSON.stringify(text)
  const classes = Object.entries(WORKER_OPTIONS.durableObjects)
  const texts = Object.entries({ ORIGIN_URL: origin, ENROLMENT_TOKEN: enrolmentToken, GRACE: '3600', REGIONS: '' })
  const bindings = [
    '(name = "BUCKET", r2Bucket = "bucket")',
    ...texts.map(([name, text]) => `(name = ${quote(name)}, text = ${quote(text)})`),
    ...classes.map(([name, { className }]) => `(name = ${quote(name)}, durableObjectNamespace = (className = ${quote(className)}))`),
  ]
  return `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    (name = "main", worker = .edge),
    (name = "bucket", external = (address = ${quote(bucket)}, http = ())),
    (name = "objects", disk = (path = ${quote(folder)}, writable = true)),
    (name = "internet", network = (allow = ["public", "private"])),
  ],
  sockets = [(name = "http", address = "127.0.0.1:0", http = (), service = "main")],
);
const edge :Workerd.Worker = (
  modules = [(name = "worker.js", esModule = embed "worker.js")],
  compatibilityDate = ${quote(WORKER_OPTIONS.compatibilityDate)},
  compatibilityFlags = [${WORKER_OPTIONS.compatibilityFlags.map(quote).join(', ')}],
  durableObjectNamespaces = [${classes.map(([, { className }]) => `(className = ${quote(className)}, uniqueKey = ${quote(className)}, enableSql = true)`).join(', ')}],
  durableObjectStorage = (localDisk = "objects"),
  bindings = [${bindings.join(', ')}],
);
`
}

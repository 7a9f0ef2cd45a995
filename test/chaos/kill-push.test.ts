import { spawn } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { readdir, readFile } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type AtollProcess, startAtoll } from '../support/atoll.ts'
import { chosen } from '../support/chosen.ts'
import { requireTool } from '../support/tools.ts'
import { until } from '../support/until.ts'

// The origin is killed with SIGKILL on its way into the Nth system call of a kind, for every N that a push has. strace counts them.

const absent = !requireTool('strace', 'apt-get install strace')

/**
 * Everything that makes something durable or visible, and every write. One kind at a time, so that each step is met. `stride`: how far two steps
 * that are tried are apart. A start after each kill takes a while, so where there are many of a kind one of `parts` is tried at a time.
 */
const STEPS = [
  { calls: 'fsync,fdatasync', stride: 1, parts: 3 },
  { calls: 'rename,renameat2,link,linkat,unlink,unlinkat,ftruncate', stride: 1, parts: 1 },
  { calls: 'pwrite64,pwritev,write', stride: 6, parts: 3 },
] as const
/** A push has fewer steps of a kind than this; without it a mistake would go on for ever. */
const STEPS_LIMIT = 200

let atoll: AtollProcess

beforeAll(async () => {
  if (absent) return
  // One thread for files: then the Nth call of the process is the Nth of its thread, which is what strace counts.
  atoll = await startAtoll({ role: 'origin', env: { UV_THREADPOOL_SIZE: '1', ATOLL_LOG_LEVEL: 'error' } })
  expect((await atoll.api('POST', '/api/v2.0/projects', { project_name: 'crash', public: true })).status).toBe(201)
}, 60_000)
afterAll(() => atoll?.[Symbol.asyncDispose]())

describe.skipIf(absent)('kill -9 between any two steps of a push loses nothing that was acknowledged', () => {
  test.each(STEPS)(
    '$calls',
    async ({ calls, stride, parts }) => {
      let killed = 0
      const tried = chosen([...Array(parts).keys()], 1)
      for (let nth = 0; nth * stride < STEPS_LIMIT; nth++) {
        if (!tried.includes(nth % parts)) continue
        const step = 1 + nth * stride
        const tracer = await killAt(atoll.pid, calls, step)
        const acknowledged = new Map<string, Buffer>()
        const complete = await push(acknowledged, `step-${step}`).catch(() => false)
        await tracer.end()
        await atoll.kill()
        await atoll.restart()
        // Also when the push is complete: its last answer may have come before the last step.
        for (const [path, bytes] of acknowledged) await expectPulled(path, bytes)
        if (complete) {
          expect(killed, 'no step was met: the test would prove nothing').toBeGreaterThan(0)
          process.stdout.write(`killed at ${killed} steps of ${calls}\n`)
          return
        }
        killed++
        expect(await push(new Map(), `again-${step}`), 'after the crash a push works as before').toBe(true)
      }
      throw new Error(`a push has more than ${STEPS_LIMIT} steps`)
    },
    600_000,
  )
})

interface Tracer {
  /** Lets the process go, if it still lives. */
  end(): Promise<void>
}

/** Kills the process at its `nth` call of one of `calls`, counted from now. */
async function killAt(pid: number, calls: string, nth: number): Promise<Tracer> {
  const options = ['-f', '-qq', '-o', '/dev/null', '-e', `trace=${calls}`, `--inject=${calls}:signal=SIGKILL:when=${nth}`]
  const tracer = spawn('strace', [...options, '-p', String(pid)], { stdio: 'ignore' })
  const ended = once(tracer, 'exit')
  await until('strace is attached to every thread', () => isTraced(pid))
  return {
    async end() {
      // Asked politely, it may wait for ever for a process that died under it.
      tracer.kill('SIGKILL')
      await ended
    },
  }
}

/** Or it met its end already: the first step may be one that an idle process takes. */
async function isTraced(pid: number): Promise<boolean> {
  const gone = () => ''
  const threads = await readdir(`/proc/${pid}/task`).catch(() => [])
  const statuses = await Promise.all(threads.map((thread) => readFile(`/proc/${pid}/task/${thread}/status`, 'utf8').catch(gone)))
  return statuses.every((status) => !status.includes('TracerPid:\t0\n'))
}

/** A monolithic and a chunked blob, then a manifest over both with a tag. Whatever is answered with 201 is written down. */
async function push(acknowledged: Map<string, Buffer>, tag: string): Promise<boolean> {
  const { token } = (await (await atoll.api('GET', '/service/token?service=atoll&scope=repository:crash/app:pull,push')).json()) as { token: string }
  const call = (path: string, method: string, body?: Buffer, type = 'application/octet-stream') =>
    fetch(new URL(path, `http://${atoll.origin}`), {
      method,
      headers: { authorization: `Bearer ${token}`, 'content-type': type },
      ...(body && { body: new Uint8Array(body) }),
      signal: AbortSignal.timeout(20_000),
    })
  const begin = async () => (await call('/v2/crash/app/blobs/uploads/', 'POST')).headers.get('location') ?? ''
  const withDigest = (location: string, bytes: Buffer) => `${location}${location.includes('?') ? '&' : '?'}digest=${digestOf(bytes)}`

  const config = randomBytes(700)
  const whole = await call(withDigest(await begin(), config), 'PUT', config)
  if (whole.status !== 201) return false
  acknowledged.set(`/v2/crash/app/blobs/${digestOf(config)}`, config)

  const layer = randomBytes(300_000)
  let location = await begin()
  for (const part of [layer.subarray(0, 100_000), layer.subarray(100_000)]) {
    const patched = await call(location, 'PATCH', part)
    if (patched.status !== 202) return false
    location = patched.headers.get('location') ?? ''
  }
  const finished = await call(withDigest(location, layer), 'PUT')
  if (finished.status !== 201) return false
  acknowledged.set(`/v2/crash/app/blobs/${digestOf(layer)}`, layer)

  const type = 'application/vnd.oci.image.manifest.v1+json'
  const descriptor = (mediaType: string, bytes: Buffer) => ({ mediaType, digest: digestOf(bytes), size: bytes.length })
  const manifest = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: type,
      config: descriptor('application/vnd.oci.image.config.v1+json', config),
      layers: [descriptor('application/vnd.oci.image.layer.v1.tar', layer)],
    }),
  )
  const put = await call(`/v2/crash/app/manifests/${tag}`, 'PUT', manifest, type)
  if (put.status !== 201) return false
  acknowledged.set(`/v2/crash/app/manifests/${tag}`, manifest)
  acknowledged.set(`/v2/crash/app/manifests/${digestOf(manifest)}`, manifest)
  // One more write, behind all of the push: whoever answers it has not been killed by a step that came after the 201.
  return (await call('/v2/crash/app/blobs/uploads/', 'POST')).status === 202
}

async function expectPulled(path: string, bytes: Buffer): Promise<void> {
  const { token } = (await (await fetch(`http://${atoll.origin}/service/token?service=atoll&scope=repository:crash/app:pull`)).json()) as {
    token: string
  }
  const answer = await fetch(`http://${atoll.origin}${path}`, { headers: { authorization: `Bearer ${token}` } })
  expect(answer.status, `${path} was acknowledged`).toBe(200)
  expect(digestOf(Buffer.from(await answer.arrayBuffer())), path).toBe(digestOf(bytes))
}

function digestOf(bytes: Buffer): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`
}

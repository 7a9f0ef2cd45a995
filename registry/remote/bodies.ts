import { RegistryError } from '../spec/errors.ts'
import { TimedOut, unreachable, upstreamInvalid } from './errors.ts'
import type { Reply, Transport } from './transport.ts'

/**
 * The whole of a small body.
 * @throws RegistryError UPSTREAM_INVALID above `limit` bytes, UNAVAILABLE when it is cut or does not end in time
 */
export async function readAll(reply: Reply, transport: Transport, limit: number): Promise<Uint8Array> {
  const { bytes, whole } = await read(reply, transport, limit)
  if (!whole) throw upstreamInvalid(reply.url, `sends more than the ${limit} bytes that this answer may have.`)
  const length = reply.headers.get('content-length')
  if (length !== null && reply.headers.get('content-encoding') === null && Number(length) !== bytes.byteLength) {
    throw new RegistryError('UNAVAILABLE', `${reply.url.host} sent ${bytes.byteLength} of ${Number(length)} bytes.`, { upstream: reply.url.host })
  }
  return bytes
}

/** The beginning of a body, for instance of an error that need not be read to its end. */
export async function readBeginning(reply: Reply, transport: Transport, limit: number): Promise<string> {
  return new TextDecoder().decode((await read(reply, transport, limit)).bytes)
}

/** A JSON object. @throws RegistryError UPSTREAM_INVALID, UNAVAILABLE */
export async function readJson(reply: Reply, transport: Transport, limit: number): Promise<Readonly<Record<string, unknown>>> {
  const document = await parsed(reply, transport, limit)
  if (typeof document !== 'object' || document === null || Array.isArray(document)) throw wrongShape(reply)
  return { ...document }
}

/** A JSON array. @throws RegistryError UPSTREAM_INVALID, UNAVAILABLE */
export async function readArray(reply: Reply, transport: Transport, limit: number): Promise<readonly unknown[]> {
  const document = await parsed(reply, transport, limit)
  if (!Array.isArray(document)) throw wrongShape(reply)
  return document
}

async function parsed(reply: Reply, transport: Transport, limit: number): Promise<unknown> {
  const bytes = await readAll(reply, transport, limit)
  try {
    return JSON.parse(new TextDecoder().decode(bytes))
  } catch (cause) {
    throw upstreamInvalid(reply.url, 'answers with what is not JSON.', cause)
  }
}

function wrongShape(reply: Reply): RegistryError {
  return upstreamInvalid(reply.url, 'answers with JSON of the wrong shape.')
}

async function read(reply: Reply, { clock, limits }: Transport, limit: number): Promise<{ bytes: Uint8Array; whole: boolean }> {
  const reader = reply.body.getReader()
  let late = false
  const stop = clock.after(limits.smallBodyMs, () => {
    late = true
    // The reading below ends, and says why.
    reader.cancel().catch(() => undefined)
  })
  const chunks: Uint8Array[] = []
  let size = 0
  try {
    for (;;) {
      const { done, value } = await reader.read()
      if (late) throw unreachable(reply.url, new TimedOut('did not finish its answer in time'))
      if (done) break
      chunks.push(value.subarray(0, limit - size))
      if (size + value.byteLength > limit) {
        await reader.cancel()
        return { bytes: concat(chunks, limit), whole: false }
      }
      size += value.byteLength
    }
  } finally {
    stop()
  }
  return { bytes: concat(chunks, size), whole: true }
}

function concat(chunks: readonly Uint8Array[], size: number): Uint8Array {
  const bytes = new Uint8Array(size)
  let at = 0
  for (const chunk of chunks) {
    bytes.set(chunk, at)
    at += chunk.byteLength
  }
  return bytes
}

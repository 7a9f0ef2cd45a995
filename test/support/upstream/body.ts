import { once } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Faults } from './faults.ts'
import type { Link } from './link.ts'

export interface SendOptions {
  readonly answer: IncomingMessage
  readonly response: ServerResponse
  readonly faults: Faults
  /** Whether the faults are for this request. */
  readonly faulty: boolean
  readonly link: Link | undefined
  readonly onBytes: (count: number) => void
}

/** Passes a body on, with whatever goes wrong. */
export async function sendBody({ answer, response, faults, faulty, link, onBytes }: SendOptions): Promise<void> {
  const length = Number(answer.headers['content-length'] ?? 0)
  const range = answer.headers['content-range']?.match(/^bytes (\d+)-\d+\/(\d+)$/)
  const offset = Number(range?.[1] ?? 0)
  const size = range ? Number(range[2]) : length
  const lie = faulty && faults.corrupt !== undefined && faults.lies > 0 ? faults.corrupt : undefined
  if (lie !== undefined) faults.lies--
  const said = length + (faulty ? faults.lengthOff : 0)
  response.writeHead(answer.statusCode ?? 502, { ...answer.headers, 'content-length': said })
  let sent = 0
  for await (const chunk of answer as AsyncIterable<Buffer>) {
    if (response.destroyed) return
    let part = corrupted(chunk, offset + sent, size, lie).subarray(0, Math.max(0, said - sent))
    const cutAfter = faulty && faults.cuts > 0 ? faults.cutAfter : undefined
    const stop = Math.min(cutAfter ?? Number.POSITIVE_INFINITY, (faulty ? faults.stallAfter : undefined) ?? Number.POSITIVE_INFINITY)
    const stops = sent + part.length > stop
    if (stops) part = part.subarray(0, stop - sent)
    await link?.carry(part.length)
    if (response.destroyed) return
    sent += part.length
    onBytes(part.length)
    if (!response.write(part)) await drainedOrClosed(response)
    if (!stops) continue
    if (stop !== cutAfter) {
      await once(response, 'close')
      return
    }
    faults.cuts--
    // What was written must have left, or the cut would be earlier than it should.
    await new Promise((resolve) => response.write('', resolve))
    response.destroy()
    return
  }
  if (said > sent) response.destroy()
  else response.end()
}

function drainedOrClosed(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      response.off('drain', done)
      response.off('close', done)
      resolve()
    }
    response.on('drain', done)
    response.on('close', done)
  })
}

function corrupted(chunk: Buffer, position: number, size: number, lie: Faults['corrupt']): Buffer {
  if (lie === undefined) return chunk
  if (lie === 'all') return Buffer.alloc(chunk.length, 'wrong')
  const middle = Math.floor(size / 2) - position
  if (middle < 0 || middle >= chunk.length) return chunk
  const copy = Buffer.from(chunk)
  copy[middle] = (copy[middle] ?? 0) ^ 0xff
  return copy
}

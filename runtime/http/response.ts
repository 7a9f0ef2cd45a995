import type { ServerResponse } from 'node:http'
import { giveBack } from '../../registry/lent.ts'
import { LightHeaders } from './light-headers.ts'
import type { LoopTurns } from './loop-turns.ts'
import { WholeResponse } from './whole-response.ts'

/** How an answer ended. `cut`: its stream failed or did not have the length it promised, and the connection was cut so that nobody takes it for whole. */
export type Ending = { readonly kind: 'sent' | 'left' } | { readonly kind: 'cut'; readonly error: unknown }

export interface SendOptions {
  /** Milliseconds that a client may read nothing. */
  readonly stallTimeout: number
  /** What every answer says, by names in lower case. */
  readonly headers: Readonly<Record<string, string>>
  readonly turns: LoopTurns
}

/**
 * Sends a web Response with back-pressure: at most one chunk is in the socket's hands and one read ahead.
 *
 * The last chunk goes out only when its stream has ended well and the length is the promised one. Otherwise the connection is cut: an answer
 * that ended as HTTP says was right.
 */
export async function sendResponse(
  response: Response,
  outgoing: ServerResponse,
  { stallTimeout, headers: always, turns }: SendOptions,
): Promise<Ending> {
  if (outgoing.destroyed) {
    await response.body?.cancel().catch(ignore)
    return { kind: 'left' }
  }
  const headers = headerList(response.headers, always)
  const promised = response.headers.get('content-length')
  if (response instanceof WholeResponse && !response.opened) {
    const { whole } = response
    if (whole === null || promised === null || Number(promised) === whole.byteLength) {
      outgoing.writeHead(response.status, headers)
      outgoing.end(whole)
      return { kind: 'sent' }
    }
  }
  const { body } = response
  if (body === null) {
    outgoing.writeHead(response.status, headers)
    outgoing.end()
    return { kind: 'sent' }
  }
  const size = promised === null ? undefined : Number(promised)
  const begin = () => outgoing.writeHead(response.status, headers)
  return await pump(body.getReader(), outgoing, { promised: size, stallTimeout, turns }, begin)
}

/** As Node writes them at once: names and values in turn. What every answer says stands back behind what this one says. */
function headerList(headers: Headers, always: Readonly<Record<string, string>>): string[] {
  const list = headers instanceof LightHeaders ? [...headers.list()] : [...headers].flat()
  for (const name in always) if (!headers.has(name)) list.push(name, always[name] ?? '')
  return list
}

async function pump(
  chunks: ReadableStreamDefaultReader<Uint8Array>,
  outgoing: ServerResponse,
  { promised, stallTimeout, turns }: { readonly promised: number | undefined; readonly stallTimeout: number; readonly turns: LoopTurns },
  begin: () => void,
): Promise<Ending> {
  // A client that leaves ends the wait for the next chunk too, however long its source would take.
  const leave = () => {
    chunks.cancel().catch(ignore)
  }
  outgoing.once('close', leave)
  let total = 0
  let held: Uint8Array | undefined
  let flush: NodeJS.Immediate | undefined
  try {
    let next = chunks.read()
    begin()
    // Headers go at once where the first bytes may take long, and together with the body where it is there already.
    flush = setImmediate(() => outgoing.flushHeaders())
    for (;;) {
      const { done, value } = await next
      if (done || value === undefined) break
      total += value.byteLength
      if (promised !== undefined && total > promised) throw new Error(`An answer of ${promised} bytes has more.`)
      next = chunks.read()
      // A failure of the chunk that was asked for ahead is met when it is its turn.
      next.catch(ignore)
      if (value.byteLength === 0) continue
      clearImmediate(flush)
      const turn = turns.ask(value.byteLength)
      if (turn !== undefined) await turn
      if (total === promised) held = value
      else if (!outgoing.write(value, () => giveBack(value))) await drained(outgoing, stallTimeout)
      if (outgoing.destroyed) return { kind: 'left' }
    }
    if (outgoing.destroyed) return { kind: 'left' }
    if (promised !== undefined && total !== promised) throw new Error(`An answer of ${promised} bytes ended after ${total}.`)
    if (held === undefined) outgoing.end()
    else outgoing.end(held)
    return { kind: 'sent' }
  } catch (error) {
    chunks.cancel(error).catch(ignore)
    const left = outgoing.destroyed || error instanceof Left
    outgoing.destroy()
    return left ? { kind: 'left' } : { kind: 'cut', error }
  } finally {
    clearImmediate(flush)
    outgoing.off('close', leave)
  }
}

class Left extends Error {}

function drained(outgoing: ServerResponse, stallTimeout: number): Promise<void> {
  return new Promise((resolve, reject) => {
    if (outgoing.destroyed) return resolve()
    const end = (settle: () => void) => {
      clearTimeout(timer)
      outgoing.off('drain', onDrain)
      outgoing.off('close', onDrain)
      settle()
    }
    const onDrain = () => end(resolve)
    const timer = setTimeout(() => end(() => reject(new Left('The client reads nothing.'))), stallTimeout)
    outgoing.on('drain', onDrain)
    outgoing.on('close', onDrain)
  })
}

/** For what we have done with: how it ends tells us nothing. */
function ignore(): void {}

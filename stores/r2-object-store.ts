import type { ObjectEntry, ObjectStore, SizedStream } from '../registry/object-store.ts'
import { RegistryError } from '../registry/spec/errors.ts'
import type { Page, Slice } from '../registry/spec/pages.ts'
import type { ByteRange } from '../registry/spec/ranges.ts'
import { largePieces } from './pieces.ts'
import { bytesStream, exactly, partOf } from './sized.ts'

/**
 * The part of a Worker's R2 binding that is used here. Cloudflare's own types replace the globals of whatever imports them (streams, Response),
 * and those of Node with them; a Worker's bucket fits this without.
 */
export interface R2Binding {
  head(key: string): Promise<{ readonly size: number } | null>
  get(key: string, options?: { readonly range?: ByteRange }): Promise<{ readonly size: number; readonly body: ReadableStream<Uint8Array> } | null>
  put(
    key: string,
    value: ReadableStream<Uint8Array> | Uint8Array,
    options?: { readonly onlyIf?: { readonly etagDoesNotMatch: string } },
  ): Promise<object | null>
  delete(keys: string[]): Promise<void>
  list(options: { readonly prefix: string; readonly limit: number; readonly startAfter?: string }): Promise<{
    readonly objects: readonly { readonly key: string; readonly size: number }[]
    readonly truncated: boolean
  }>
}

/** workerd's own: R2 takes a stream only when it knows its length beforehand. */
declare const FixedLengthStream: new (length: number) => TransformStream<Uint8Array, Uint8Array>

/** R2's limit for one batch of a delete, and for one page of a listing. */
const BATCH = 1000

/** Objects in an R2 bucket, by a Worker's binding. */
export function r2ObjectStore(bucket: R2Binding): ObjectStore {
  return new R2ObjectStore(bucket)
}

class R2ObjectStore implements ObjectStore {
  readonly #bucket: R2Binding

  constructor(bucket: R2Binding) {
    this.#bucket = bucket
  }

  async put(key: string, body: Uint8Array | SizedStream): Promise<void> {
    if (body instanceof Uint8Array) await asUnavailable(this.#bucket.put(key, body))
    else await this.#putStream(key, body)
  }

  async putIfAbsent(key: string, body: Uint8Array): Promise<boolean> {
    return (await asUnavailable(this.#bucket.put(key, body, { onlyIf: { etagDoesNotMatch: '*' } }))) !== null
  }

  async get(key: string, range?: ByteRange): Promise<SizedStream | undefined> {
    if (range?.length === 0) {
      const stat = await this.stat(key)
      return stat && { size: partOf(stat.size, range).length, stream: bytesStream(new Uint8Array(0)) }
    }
    if (range === undefined) {
      const object = await asUnavailable(this.#bucket.get(key))
      return object ? { size: object.size, stream: largePieces(object.body, object.size) } : undefined
    }
    try {
      const object = await this.#bucket.get(key, { range })
      if (!object) return undefined
      if (range.offset + range.length <= object.size) return { size: range.length, stream: largePieces(object.body, range.length) }
      await object.body.cancel()
    } catch (error) {
      // A range that lies outside fails, and not in the same way everywhere: the object's size tells whether that was it.
      const stat = await this.stat(key)
      if (stat && range.offset + range.length <= stat.size) throw unavailable(error)
    }
    throw new RegistryError('RANGE_INVALID', 'The range lies outside the object.')
  }

  async stat(key: string): Promise<{ readonly size: number } | undefined> {
    const head = await asUnavailable(this.#bucket.head(key))
    return head ? { size: head.size } : undefined
  }

  async delete(keys: readonly string[]): Promise<void> {
    for (let from = 0; from < keys.length; from += BATCH) await asUnavailable(this.#bucket.delete(keys.slice(from, from + BATCH)))
  }

  async list(prefix: string, page: Page): Promise<Slice<ObjectEntry>> {
    const items: ObjectEntry[] = []
    let last = page.last
    for (;;) {
      const limit = Math.min(BATCH, page.limit - items.length)
      const { objects, truncated } = await asUnavailable(this.#bucket.list({ prefix, limit, ...(last === undefined ? {} : { startAfter: last }) }))
      items.push(...objects.map(({ key, size }) => ({ key, size })))
      last = items.at(-1)?.key
      if (!truncated || items.length >= page.limit || last === undefined) return { items, more: truncated }
    }
  }

  /** By hand, where a pipe would need one more stream to say on which side it broke. */
  async #putStream(key: string, body: SizedStream): Promise<void> {
    const fixed = new FixedLengthStream(body.size)
    const writer = fixed.writable.getWriter()
    const chunks = exactly(body)
    let failure: { readonly error: unknown } | undefined
    const send = async () => {
      for (;;) {
        const chunk = await chunks.next().catch((error: unknown) => {
          failure = { error }
          throw error
        })
        if (chunk.done) return await writer.close()
        await writer.write(chunk.value)
      }
    }
    const sent = send().catch(async (error: unknown) => {
      // What failed is known; that the two sides are told of it can only fail for the same reason.
      await Promise.allSettled([writer.abort(error), chunks.return(undefined)])
      throw error
    })
    const stored = this.#bucket.put(key, fixed.readable).catch(async (error: unknown) => {
      await writer.abort(error).catch(() => undefined)
      throw error
    })
    const outcomes = await Promise.allSettled([stored, sent])
    if (failure) throw failure.error
    for (const outcome of outcomes) if (outcome.status === 'rejected') throw unavailable(outcome.reason)
  }
}

async function asUnavailable<T>(answer: Promise<T>): Promise<T> {
  try {
    return await answer
  } catch (error) {
    throw unavailable(error)
  }
}

function unavailable(cause: unknown): RegistryError {
  return new RegistryError('UNAVAILABLE', 'The object store does not answer as it should; try again.', undefined, { cause })
}

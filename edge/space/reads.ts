import type { Key } from './ledger.ts'

interface Reader {
  key: Key
}

/** What is being read now. */
export class Reads {
  readonly #readers = new Map<Key, Set<Reader>>()

  has(key: Key): boolean {
    return this.#readers.has(key)
  }

  keys(): Key[] {
    return [...this.#readers.keys()]
  }

  /** A reader begins. What it returns says that this reader has done; saying it again changes nothing. */
  begin(key: Key): () => void {
    const reader: Reader = { key }
    this.#add(reader)
    return () => this.#remove(reader)
  }

  /** Whoever reads `from` reads `to` from now on: a draft has become a blob. */
  rename(from: Key, to: Key): void {
    for (const reader of this.#readers.get(from) ?? []) {
      reader.key = to
      this.#add(reader)
    }
    this.#readers.delete(from)
  }

  #add(reader: Reader): void {
    const readers = this.#readers.get(reader.key)
    if (readers === undefined) this.#readers.set(reader.key, new Set([reader]))
    else readers.add(reader)
  }

  #remove(reader: Reader): void {
    const readers = this.#readers.get(reader.key)
    readers?.delete(reader)
    if (readers?.size === 0) this.#readers.delete(reader.key)
  }
}

/** The same stream; `done` is called when it has ended, failed or been left, `wanted` each time somebody wants more of it. */
export function watched(stream: ReadableStream<Uint8Array>, done: () => void, wanted?: () => void): ReadableStream<Uint8Array> {
  const reader = stream.getReader()
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        wanted?.()
        try {
          const { done: ended, value } = await reader.read()
          if (!ended) return controller.enqueue(value)
          done()
          controller.close()
        } catch (error) {
          done()
          throw error
        }
      },
      async cancel(reason) {
        done()
        await reader.cancel(reason)
      },
    },
    { highWaterMark: 0 },
  )
}

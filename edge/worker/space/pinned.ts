import { z } from 'zod'
import type { ObjectStore } from '../../../registry/object-store.ts'
import { isDigest } from '../../../registry/spec/digests.ts'
import type { Key } from '../../space/ledger.ts'
import { type Pin, pinnedOnPage, RECORDS_OF_PINS } from '../../space/pins.ts'
import type { ObjectStorage } from '../env.ts'
import { chunks } from './bucket-ledger.ts'
import { LINKS_PAGE, PINNED_FOR_MS, TAGS_PAGE } from './limits.ts'

const STATE = 'pins'
const PREFIX = 'pin/'
const schema = z.object({
  /** What the pins were when it was worked out. */
  text: z.string(),
  /** Marks of this round count, and those of later ones. 0: none was finished. */
  finished: z.int(),
  at: z.number(),
  /** The round under way, and where it is. */
  round: z.int(),
  kind: z.enum(RECORDS_OF_PINS).optional(),
  last: z.string().optional(),
})
type State = z.infer<typeof schema>

/** What the pins cover, as marks in an object's storage, worked out page by page. */
export class Pinned {
  readonly #storage: ObjectStorage
  readonly #records: ObjectStore
  readonly #pins: readonly Pin[]
  #state: State
  #page: Promise<void> | undefined

  private constructor(options: PinnedOptions, state: State) {
    this.#storage = options.storage
    this.#records = options.records
    this.#pins = options.pins
    this.#state = state
  }

  static async open(options: PinnedOptions): Promise<Pinned> {
    const text = options.pins.map((pin) => pin.text).join(',')
    const known = schema.safeParse(await options.storage.get(STATE))
    if (known.success && known.data.text === text) return new Pinned(options, known.data)
    const round = (known.success ? known.data.round : 0) + 1
    return new Pinned(options, { text, finished: 0, at: Number.NEGATIVE_INFINITY, round, kind: 'tags' })
  }

  /** Before that nobody can say what may go. */
  get known(): boolean {
    return this.#pins.length === 0 || this.#state.finished > 0
  }

  /** There is more to look at. */
  get looking(): boolean {
    return this.#pins.length > 0 && this.#state.kind !== undefined
  }

  /** Room is needed: what is known is worked out again if it is old. */
  refresh(now: number): void {
    const { kind, at, round } = this.#state
    if (this.#pins.length === 0 || kind !== undefined || Math.abs(now - at) < PINNED_FOR_MS) return
    this.#state = { ...this.#state, round: round + 1, kind: 'tags', last: undefined }
  }

  async of(keys: readonly Key[]): Promise<ReadonlySet<Key>> {
    const covered = new Set<Key>()
    if (this.#pins.length === 0) return covered
    for (const some of chunks(keys.filter(isDigest))) {
      const marks = await this.#storage.get(some.map((key) => PREFIX + key))
      for (const key of some) if (Number(marks.get(PREFIX + key) ?? -1) >= this.#state.finished) covered.add(key)
    }
    return covered
  }

  /** One page. Whoever asks while somebody looks waits for that. */
  async look(now: number): Promise<void> {
    this.#page ??= this.#look(now).finally(() => {
      this.#page = undefined
    })
    await this.#page
  }

  async #look(now: number): Promise<void> {
    const { kind, last, round } = this.#state
    if (kind === undefined) return
    const limit = kind === 'tags' ? TAGS_PAGE : LINKS_PAGE
    const page = await pinnedOnPage(this.#pins, this.#records, kind, { limit, ...(last !== undefined && { last }) })
    for (const some of chunks([...page.blobs])) await this.#storage.put(Object.fromEntries(some.map((digest) => [PREFIX + digest, round])))
    const next = page.last === undefined && kind === 'tags' ? 'links' : kind
    const done = page.last === undefined && kind === 'links'
    this.#state = {
      ...this.#state,
      kind: done ? undefined : next,
      last: page.last,
      ...(done && { finished: round, at: now }),
    }
    await this.#storage.put(STATE, this.#state)
  }
}

export interface PinnedOptions {
  readonly storage: ObjectStorage
  readonly records: ObjectStore
  readonly pins: readonly Pin[]
}

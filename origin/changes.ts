import { type Clock, steady } from '../registry/clock.ts'
import { type Change, headOfChanges, readChanges } from '../schema/changes.ts'
import type { Database } from '../schema/database.ts'

/** How long a commit of another process may go unseen here, in milliseconds. */
const LOOK_EVERY_MS = 500
/** More changes than this at once are not looked at one by one: everything is forgotten. */
const AT_ONCE = 1_000

/** What has changed; undefined: so much that nothing remembered can be trusted. */
export type ChangeListener = (changes: readonly Change[] | undefined) => void

/**
 * Keeps what this process remembers of the database true. Ask `settled()` before using a memory: when it resolves, listeners have heard of
 * every commit of this process that came before, and of every other process's that is older than LOOK_EVERY_MS.
 */
export class RecentChanges {
  readonly #db: Database
  readonly #clock: Clock
  readonly #listeners = new Set<ChangeListener>()
  readonly #stop: () => void
  /** Listeners have heard of everything up to here. */
  #heard: number
  /** The newest that is known to exist. */
  #head: number
  #lookedAt: number
  #looking: Promise<void> | undefined

  private constructor(db: Database, clock: Clock, head: number) {
    this.#db = db
    this.#clock = clock
    this.#heard = head
    this.#head = head
    this.#lookedAt = steady(clock)
    this.#stop = db.onCommit(({ lastChange }) => {
      this.#head = Math.max(this.#head, lastChange)
    })
  }

  static async open(db: Database, clock: Clock): Promise<RecentChanges> {
    return new RecentChanges(db, clock, await headOfChanges(db))
  }

  /** How far listeners have heard. What was read from the database while this number stayed may be remembered. */
  get heard(): number {
    return this.#heard
  }

  on(listener: ChangeListener): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** undefined when there is nothing to wait for, which is nearly always: `const wait = recent.settled(); if (wait) await wait`. */
  settled(): Promise<void> | undefined {
    const due = steady(this.#clock) - this.#lookedAt >= LOOK_EVERY_MS
    if (this.#heard >= this.#head && !due) return undefined
    return this.#catchUp()
  }

  /** The database has become another: nothing remembered can be trusted, and its numbers may be lower. */
  async restart(): Promise<void> {
    await this.#looking
    const head = await headOfChanges(this.#db)
    this.#heard = head
    this.#head = head
    this.#tell(undefined)
  }

  close(): void {
    this.#stop()
    this.#listeners.clear()
  }

  async #catchUp(): Promise<void> {
    // A look under way may have begun before the commit that this caller knows of, so look again until nothing is left.
    const wanted = this.#head
    do {
      this.#looking ??= this.#look().finally(() => {
        this.#looking = undefined
      })
      await this.#looking
    } while (this.#heard < wanted)
  }

  async #look(): Promise<void> {
    const startedAt = steady(this.#clock)
    const announced = this.#head
    const head = await headOfChanges(this.#db)
    const many = head - this.#heard >= AT_ONCE
    const changes = many || head <= this.#heard ? [] : await readChanges(this.#db, this.#heard, AT_ONCE)
    const last = changes.at(-1)
    if (many || changes.length === AT_ONCE) {
      this.#tell(undefined)
      this.#reach(Math.max(head, last?.seq ?? head))
    } else if (last !== undefined) {
      this.#tell(changes)
      this.#reach(last.seq)
    } else {
      // Only what was announced before this look: a commit during it is for the next one.
      this.#reach(Math.max(this.#heard, announced))
    }
    this.#lookedAt = startedAt
  }

  #tell(changes: readonly Change[] | undefined): void {
    for (const listener of this.#listeners) listener(changes)
  }

  #reach(seq: number): void {
    this.#heard = seq
    this.#head = Math.max(this.#head, seq)
  }
}

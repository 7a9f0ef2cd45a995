import type { Hasher } from '../blob-store.ts'
import { Bell } from './bell.ts'
import { Window } from './window.ts'

/**
 * How far a fill has come: what the pump writes and all consumers look at. Nobody is told anything here but by the bell; each
 * consumer finds by its own position what is there for it.
 */
export class Flow {
  readonly changed = new Bell()
  readonly moved = new Bell()
  readonly #tailBytes: number
  #generation = 0
  #window = new Window(0)
  #size: number | undefined
  #verified = false
  #failure: { readonly error: unknown } | undefined
  #furthest = 0
  #following = false
  #adrift = false

  constructor(tailBytes: number) {
    this.#tailBytes = tailBytes
  }

  /** Counts the tries from scratch: bytes of different generations never mix. */
  get generation(): number {
    return this.#generation
  }

  get size(): number | undefined {
    return this.#size
  }

  /** How many bytes have come. */
  get head(): number {
    return this.#window.end
  }

  get window(): Window {
    return this.#window
  }

  get verified(): boolean {
    return this.#verified
  }

  get failure(): { readonly error: unknown } | undefined {
    return this.#failure
  }

  /** How far consumers may read: to the last piece, which waits until all is verified. */
  get limit(): number {
    if (this.#size === undefined) return 0
    return this.#verified ? this.#size : Math.max(0, this.#size - this.#tailBytes)
  }

  /** How far the consumer that is ahead of all has come. */
  get furthest(): number {
    return this.#furthest
  }

  /** Another process fills the blob: all that is read here comes from the store, and is verified by nobody here. */
  get following(): boolean {
    return this.#following
  }

  /** The store failed while another process filled the blob there: who has been given some of it may go on from the source. */
  get adrift(): boolean {
    return this.#adrift
  }

  follow(): void {
    this.#following = true
  }

  /** It follows nobody any more. */
  lead(): void {
    this.#following = false
  }

  /** Its store is lost. Call it before `fail`. */
  castOff(): void {
    this.#adrift = true
  }

  sized(size: number): void {
    this.#size = size
    this.changed.ring()
  }

  /** The bytes before `position` are in the store already. */
  startAt(position: number): void {
    this.#window = new Window(position)
    this.changed.ring()
  }

  /** `before` knows all that came before this chunk. */
  push(chunk: Uint8Array, before?: Hasher): void {
    this.#window.push(chunk, before)
    this.changed.ring()
  }

  verify(): void {
    this.#verified = true
    this.changed.ring()
  }

  /** From scratch. Who has had bytes of before is cut off by its next look at the generation. */
  restart(): void {
    this.#generation++
    this.#window = new Window(0)
    this.#size = undefined
    this.#furthest = 0
    this.changed.ring()
  }

  fail(error: unknown): void {
    this.#failure ??= { error }
    this.#window.clear()
    this.changed.ring()
    this.moved.ring()
  }

  reached(position: number): void {
    if (position <= this.#furthest) return
    this.#furthest = position
    this.moved.ring()
  }
}

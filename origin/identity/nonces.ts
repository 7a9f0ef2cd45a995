import { PROOF_MEMORY_S } from '../../mesh/signing.ts'
import { RegistryError } from '../../registry/spec/errors.ts'

/** Requests of one edge within the time that a proof is remembered: some 500 a second. */
const PER_EDGE = 100_000
const EVERYBODY = 1_000_000
const NONCE_LIMIT = 64

/** Remembers each proof's nonce for as long as the proof could be used again. When there is no room, it refuses rather than forget. */
export class Nonces {
  readonly #limits: { readonly perEdge: number; readonly everybody: number }
  /** Per edge two generations, each of one memory time: a nonce lives in the second while it is in either. */
  readonly #edges = new Map<string, Generations>()
  #total = 0

  constructor(limits: { readonly perEdge: number; readonly everybody: number } = { perEdge: PER_EDGE, everybody: EVERYBODY }) {
    this.#limits = limits
  }

  /** Whether this nonce is new; from now on it is not. `now` in milliseconds. @throws RegistryError TOOMANYREQUESTS */
  take(edge: string, nonce: string, now: number): boolean {
    if (nonce.length > NONCE_LIMIT) return false
    let seen = this.#generations(edge, now)
    if (seen.young.has(nonce) || seen.old.has(nonce)) return false
    if (this.#full(seen)) {
      this.#sweep(now)
      seen = this.#generations(edge, now)
      if (this.#full(seen)) {
        throw new RegistryError('TOOMANYREQUESTS', 'This edge sends more requests than the origin can tell apart.', undefined, {
          headers: { 'Retry-After': '5' },
        })
      }
    }
    seen.young.add(nonce)
    this.#total++
    return true
  }

  #full(seen: Generations): boolean {
    return seen.young.size + seen.old.size >= this.#limits.perEdge || this.#total >= this.#limits.everybody
  }

  #generations(edge: string, now: number): Generations {
    const seen = this.#edges.get(edge) ?? { since: now, young: new Set<string>(), old: new Set<string>() }
    this.#edges.set(edge, seen)
    const times = Math.min(2, Math.floor((now - seen.since) / (PROOF_MEMORY_S * 1000)))
    for (let turn = 0; turn < times; turn++) {
      this.#total -= seen.old.size
      seen.old = seen.young
      seen.young = new Set()
      seen.since = now
    }
    return seen
  }

  #sweep(now: number): void {
    for (const edge of this.#edges.keys()) {
      const { young, old } = this.#generations(edge, now)
      if (young.size + old.size === 0) this.#edges.delete(edge)
    }
  }
}

interface Generations {
  since: number
  young: Set<string>
  old: Set<string>
}

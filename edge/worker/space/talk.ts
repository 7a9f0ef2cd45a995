import type { Key } from '../../space/ledger.ts'

// What isolates and fills tell the object that keeps a bucket to its budget, and what they ask it. It stays inside one Worker.

/** POST /news → 204: what has happened in one isolate or fill since it last told. */
export interface SpaceNews {
  /** Who tells: for as long as it lives. */
  readonly from: string
  /** What it has stored, with its size. */
  readonly kept: readonly (readonly [Key, number])[]
  /** What it did not find, or has removed. */
  readonly gone: readonly Key[]
  readonly used: readonly Key[]
  /** All that it is reading now. */
  readonly reading: readonly Key[]
  /** All drafts that it is writing now, and how far it is. */
  readonly writing: readonly (readonly [string, number])[]
  /** Drafts that it writes no more. */
  readonly ended: readonly string[]
}

/** POST /reserve → RoomAnswer: room for a draft of `bytes` in all (nobody knows: absent), of which `there` exist. */
export interface RoomQuestion {
  readonly draft: string
  readonly bytes?: number
  readonly there: number
  /** What must be known before. */
  readonly news: SpaceNews
}

export interface RoomAnswer {
  /** What is promised in all; absent: there is no room, and none could be made. */
  readonly size?: number
}

/** POST /grow → GrowthAnswer: so many bytes more for a draft that has room. */
export interface GrowthQuestion {
  readonly draft: string
  readonly bytes: number
}

export interface GrowthAnswer {
  readonly granted: boolean
}

/** Which bucket it is about. */
export type About<T> = T & { readonly bucket: string }

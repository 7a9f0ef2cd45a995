/** A keyset page: at most `limit` entries that sort after `last`, in the order of their bytes. */
export interface Page {
  readonly limit: number
  readonly last?: string
}

/** One page of an answer; `more` says that another follows its last entry. */
export interface Slice<T> {
  readonly items: readonly T[]
  readonly more: boolean
}

/** Forgets the oldest of what is remembered, in the order in which it was put there, until there are `limit` of them. */
export function dropOldest<K>(entries: { readonly size: number; keys(): Iterator<K>; delete(key: K): boolean }, limit: number): void {
  while (entries.size > limit) {
    const oldest = entries.keys().next()
    if (oldest.done) return
    entries.delete(oldest.value)
  }
}

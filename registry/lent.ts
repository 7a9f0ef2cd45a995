// Memory that passes through streams and goes back to whoever lent it. Whoever does not give a chunk back leaves it to the collector.

const lenders = new WeakMap<Uint8Array, () => void>()

/** Marks a chunk as lent. `back` is called when it is given back, at most once. */
export function lend(chunk: Uint8Array<ArrayBuffer>, back: () => void): Uint8Array<ArrayBuffer> {
  lenders.set(chunk, back)
  return chunk
}

/**
 * For whoever had this very chunk from a stream and is the last to look at it: from now on it may hold other bytes. A chunk that was not lent, a
 * part of one, and one that was given back already, stay as they are.
 */
export function giveBack(chunk: Uint8Array): void {
  const back = lenders.get(chunk)
  if (back === undefined) return
  lenders.delete(chunk)
  back()
}

/** For whoever passes a chunk on to several, or looks at it later: nobody gives it back any more. */
export function keep(chunk: Uint8Array): void {
  lenders.delete(chunk)
}

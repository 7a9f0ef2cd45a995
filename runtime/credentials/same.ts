import { timingSafeEqual } from 'node:crypto'

/** Whether two secrets, or what was derived from them, are the same. How long that takes tells their length at most, never where they differ. */
export function sameSecret(known: string, given: string): boolean {
  const [a, b] = [Buffer.from(known), Buffer.from(given)]
  return a.length === b.length && timingSafeEqual(a, b)
}

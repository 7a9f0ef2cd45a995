import { expect, it } from 'vitest'
import { homeOf } from './home.ts'

const edges = Array.from({ length: 20 }, (_, i) => ({ id: `edge-${i}` }))
const digests = Array.from({ length: 2_000 }, (_, i) => `sha256:${i.toString(16).padStart(64, '0')}`)

it('every edge names the same home, whatever order it knows the others in', () => {
  for (const digest of digests) expect(homeOf(digest, [...edges].reverse())).toBe(homeOf(digest, edges))
})

it('homes are spread over the edges, and when one leaves, only its own move', () => {
  const left = edges.slice(1)
  const counts = new Map<string, number>()
  for (const digest of digests) {
    const before = homeOf(digest, edges)?.id ?? ''
    counts.set(before, (counts.get(before) ?? 0) + 1)
    if (before !== 'edge-0') expect(homeOf(digest, left)?.id).toBe(before)
  }
  for (const count of counts.values()) expect(count).toBeGreaterThan(50)
  expect(counts.size).toBe(20)
})

it('who is alone has no other home', () => {
  expect(homeOf('sha256:aa', [])).toBeUndefined()
})

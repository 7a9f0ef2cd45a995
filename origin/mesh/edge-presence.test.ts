import { describe, expect, it } from 'vitest'
import type { Edge } from '../../schema/edges.ts'
import { EdgePresence } from './edge-presence.ts'
import { HEARD_MS } from './limits.ts'

const START = Date.UTC(2026, 0, 1)
const EDGE: Edge = {
  id: 'e1',
  name: 'fra-1',
  region: 'eu',
  url: 'https://fra-1.example.com',
  publicJwk: {},
  version: '1',
  status: 'active',
  enrolledAt: START,
  revokedAt: null,
  drainedAt: null,
  lastSeenAt: START,
  cursor: 0,
  stats: {},
}

function presence({ following = 1 } = {}) {
  const clock = { at: START, now: () => clock.at }
  return { clock, edges: new EdgePresence({ following: () => following }, clock) }
}

describe('an edge', () => {
  it('is there while it follows the feed and is heard of', () => {
    const { edges } = presence()
    expect([edges.status(EDGE), edges.takes(EDGE)]).toEqual(['connected', true])
    expect(edges.status({ ...EDGE, status: 'revoked' })).toBe('revoked')
    expect(edges.status({ ...EDGE, lastSeenAt: null })).toBe('disconnected')
  })

  it('that stands still is gone though its feed is open', () => {
    const { edges, clock } = presence()
    clock.at += HEARD_MS
    expect([edges.status(EDGE), edges.takes(EDGE)]).toEqual(['disconnected', false])
    expect(edges.status({ ...EDGE, lastSeenAt: clock.at })).toBe('connected')
  })

  it('may follow the feed of another process of this origin, unless it was heard of last before it left', () => {
    const { edges, clock } = presence({ following: 0 })
    expect(edges.status(EDGE)).toBe('connected')
    clock.at += 1
    edges.left(EDGE.id)
    expect(edges.status(EDGE)).toBe('disconnected')
    expect(edges.status({ ...EDGE, lastSeenAt: clock.at + 1 })).toBe('connected')
  })

  it('that is drained, or says that nobody should be sent there, is there and takes nobody', () => {
    const { edges } = presence()
    for (const edge of [
      { ...EDGE, drainedAt: START },
      { ...EDGE, stats: { unwell: 'the store of this edge does not answer' } },
    ]) {
      expect([edges.status(edge), edges.takes(edge)]).toEqual(['connected', false])
    }
  })
})

import { generateKeyPair } from 'jose'
import { beforeAll, describe, expect, it } from 'vitest'
import type { PolicyDocument, ProjectGrace } from '../mesh/documents.ts'
import { type SigningKey, signDocument } from '../mesh/signing.ts'
import { RegistryError } from '../registry/spec/errors.ts'
import { TestClock } from '../test/support/clock.ts'
import { keptInMemory } from './kept.ts'
import { GUESSES_AT_ONCE, GUESSES_PER_SECOND, UNKNOWN_FOR_MS } from './limits.ts'
import { Snapshot } from './snapshot.ts'

const GRACE = 3_600_000

const silent = { trace() {}, debug() {}, info() {}, warn() {}, error() {} }

let key: SigningKey
beforeAll(async () => {
  const { privateKey } = await generateKeyPair('EdDSA', { crv: 'Ed25519' })
  key = { kid: 'k1', privateKey }
})

/** A snapshot whose origin is a map of the test's. */
function world(kept = keptInMemory()) {
  const clock = new TestClock()
  const state = { cursor: 1, connected: true, revoked: false, age: 0, away: false, asked: [] as string[] }
  const projects = new Map<string, { version: number; public: boolean; grace?: ProjectGrace }>()
  const snapshot = new Snapshot({
    kept,
    clock,
    log: silent,
    fetch: async (_kind, name) => {
      state.asked.push(name)
      if (state.away) throw new RegistryError('UNAVAILABLE', 'away')
      const found = projects.get(name)
      if (found === undefined) return undefined
      const facts = { id: 1, name, public: found.public, members: [], proxy: false }
      const document: PolicyDocument = { type: 'project', version: found.version, issuedAt: 0, facts, ...(found.grace && { grace: found.grace }) }
      return await signDocument('atoll-policy+jws', document, key)
    },
    verify: async (jws) => JSON.parse(Buffer.from(jws.split('.')[1] ?? '', 'base64url').toString()) as PolicyDocument,
    cursor: () => state.cursor,
    trust: {
      get connected() {
        return state.connected
      },
      get revoked() {
        return state.revoked
      },
      grace: GRACE,
      age: () => state.age,
    },
  })
  snapshot.begin(1)
  const change = async (name: string, seq: number) => {
    state.cursor = seq
    await snapshot.apply([{ kind: 'project', seq, projectId: 1, name }])
  }
  return { clock, state, projects, snapshot, kept, change }
}

describe('the documents that an edge holds', () => {
  it('are asked for once, however many want them, and again when the feed names them', async () => {
    const { state, projects, snapshot, change } = world()
    projects.set('team', { version: 1, public: true })
    await Promise.all(Array.from({ length: 20 }, () => snapshot.project('team')))
    expect(state.asked).toEqual(['team'])
    projects.set('team', { version: 2, public: false })
    await change('team', 2)
    expect((await snapshot.project('team'))?.facts.public).toBe(false)
    expect(state.asked).toEqual(['team', 'team'])
  })

  it('are not acted on once they are known to have changed, though the origin is away', async () => {
    const { state, projects, snapshot, change } = world()
    projects.set('team', { version: 1, public: true })
    await snapshot.project('team')
    state.away = true
    await change('team', 2)
    await expect(snapshot.project('team')).rejects.toMatchObject({ status: 503 })
  })

  it('are never older than what the feed has told of', async () => {
    const { projects, snapshot, change } = world()
    projects.set('team', { version: 1, public: true })
    await snapshot.project('team')
    await change('team', 5)
    await expect(snapshot.project('team')).rejects.toMatchObject({ status: 503 })
  })

  it('outlive a restart, and are no more trusted than the origin’s last word', async () => {
    const kept = keptInMemory()
    const before = world(kept)
    before.projects.set('team', { version: 1, public: true })
    await before.snapshot.project('team')
    await before.snapshot.idle()
    const after = world(kept)
    after.state.away = true
    expect((await after.snapshot.project('team'))?.facts.public).toBe(true)
    Object.assign(after.state, { connected: false, age: GRACE })
    expect((await after.snapshot.project('team'))?.facts.public).toBe(true)
    after.state.age = GRACE + 1
    await expect(after.snapshot.project('team')).rejects.toMatchObject({ status: 503 })
  })

  it('are trusted for the grace when the thread of the feed is lost, and not longer', async () => {
    const { clock, state, projects, snapshot } = world()
    projects.set('team', { version: 1, public: true })
    await snapshot.project('team')
    state.away = true
    snapshot.begin(2)
    clock.advance(GRACE)
    expect((await snapshot.project('team'))?.facts.public).toBe(true)
    clock.advance(1)
    await expect(snapshot.project('team')).rejects.toMatchObject({ status: 503 })
  })

  describe('of a project with a grace of its own', () => {
    const HALF = GRACE / 2
    it.each([
      ['shorter than the edge’s', { ms: HALF, publicAfterwards: false }, HALF],
      ['longer than the edge’s', { ms: 2 * GRACE, publicAfterwards: false }, GRACE],
      ['of nothing', { ms: 0, publicAfterwards: false }, 0],
      ['that it does not say', { publicAfterwards: false }, GRACE],
    ])('%s, are trusted for the shorter of both', async (_what, grace, most) => {
      const { state, projects, snapshot } = world()
      projects.set('team', { version: 1, public: true, grace })
      await snapshot.project('team')
      Object.assign(state, { away: true, connected: false, age: most })
      expect((await snapshot.project('team'))?.facts.lapsed).toBeUndefined()
      state.age = most + 1
      await expect(snapshot.project('team')).rejects.toMatchObject({ status: 503, message: expect.stringContaining('grace') })
      state.connected = true
      expect((await snapshot.project('team'))?.facts.public).toBe(true)
    })

    it('say afterwards what is public, if they are to, at once, and are whole again with the origin', async () => {
      const { state, projects, snapshot } = world()
      projects.set('team', { version: 1, public: true, grace: { ms: 0, publicAfterwards: true } })
      projects.set('inner', { version: 1, public: false, grace: { ms: 0, publicAfterwards: true } })
      await Promise.all(['team', 'inner'].map((name) => snapshot.project(name)))
      Object.assign(state, { away: true, connected: false, age: Number.POSITIVE_INFINITY, asked: [] })
      expect((await snapshot.project('team'))?.facts).toMatchObject({ public: true, lapsed: true })
      expect(state.asked).toEqual([])
      await expect(snapshot.project('inner')).rejects.toMatchObject({ status: 503 })
      Object.assign(state, { away: false, connected: true, age: 0 })
      expect((await snapshot.project('team'))?.facts.lapsed).toBeUndefined()
    })

    it('say nothing afterwards of what has changed, or when the edge was revoked', async () => {
      const { state, projects, snapshot, change } = world()
      for (const name of ['team', 'other']) projects.set(name, { version: 1, public: true, grace: { publicAfterwards: true } })
      await Promise.all(['team', 'other'].map((name) => snapshot.project(name)))
      Object.assign(state, { away: true, connected: false, age: GRACE + 1 })
      await change('team', 2)
      await expect(snapshot.project('team')).rejects.toMatchObject({ status: 503 })
      expect((await snapshot.project('other'))?.facts.lapsed).toBe(true)
      state.revoked = true
      await expect(snapshot.project('other')).rejects.toMatchObject({ status: 503 })
    })

    it('are no younger for a clock that was set back, in a run of the feed that has not confirmed them', async () => {
      const { clock, state, projects, snapshot } = world()
      projects.set('team', { version: 1, public: true, grace: { ms: HALF, publicAfterwards: false } })
      await snapshot.project('team')
      snapshot.begin(2)
      Object.assign(state, { away: true, connected: false, age: HALF })
      clock.set(HALF)
      expect((await snapshot.project('team'))?.facts.public).toBe(true)
      clock.set(-1)
      state.age = HALF + 1
      await expect(snapshot.project('team')).rejects.toMatchObject({ status: 503 })
      clock.set(-2 * HALF)
      state.age = 0
      await expect(snapshot.project('team')).rejects.toMatchObject({ status: 503 })
    })
  })

  it('do not take the place of newer ones, though the origin signed them once', async () => {
    const { projects, snapshot, change } = world()
    const facts = { id: 1, name: 'team', public: true, members: [], proxy: false }
    const old = await signDocument('atoll-policy+jws', { type: 'project', version: 1, issuedAt: 0, facts } satisfies PolicyDocument, key)
    projects.set('team', { version: 2, public: false })
    await change('team', 2)
    await snapshot.project('team')
    await snapshot.offer(old)
    expect((await snapshot.project('team'))?.facts.public).toBe(false)
  })

  it('do not pass for one another where they are kept', async () => {
    const kept = keptInMemory()
    const before = world(kept)
    before.projects.set('open', { version: 1, public: true })
    await before.snapshot.project('open')
    await before.snapshot.idle()
    await kept.set('documents/project/closed', await kept.get('documents/project/open'))
    const after = world(kept)
    after.state.away = true
    expect((await after.snapshot.project('open'))?.facts.public).toBe(true)
    await expect(after.snapshot.project('closed')).rejects.toMatchObject({ status: 503 })
  })

  it('are read again when the key that signed them is withdrawn', async () => {
    const { state, projects, snapshot } = world()
    projects.set('team', { version: 1, public: true })
    await snapshot.project('team')
    snapshot.trustOnly([{ kty: 'OKP', kid: 'k1' }])
    await snapshot.project('team')
    expect(state.asked).toHaveLength(1)
    snapshot.trustOnly([{ kty: 'OKP', kid: 'k2' }])
    await snapshot.project('team')
    expect(state.asked).toHaveLength(2)
  })
})

describe('names that are nobody’s', () => {
  it('are remembered for a while, until the feed says that there is somebody now', async () => {
    const { state, clock, projects, snapshot, change } = world()
    for (let i = 0; i < 5; i++) expect(await snapshot.project('none')).toBeUndefined()
    expect(state.asked).toHaveLength(1)
    clock.advance(UNKNOWN_FOR_MS)
    await snapshot.project('none')
    expect(state.asked).toHaveLength(2)
    projects.set('none', { version: 2, public: true })
    await change('none', 2)
    expect(await snapshot.project('none')).toBeDefined()
  })

  it('cost the origin a bounded number of questions, and nobody else his document', async () => {
    const { state, clock, projects, snapshot } = world()
    projects.set('team', { version: 1, public: true })
    await snapshot.project('team')
    const made = Array.from({ length: 1_000 }, (_, i) => snapshot.project(`made-up-${i}`).catch((error: RegistryError) => error.status))
    expect((await Promise.all(made)).filter((status) => status === 429)).toHaveLength(1_000 - GUESSES_AT_ONCE)
    expect(state.asked).toHaveLength(1 + GUESSES_AT_ONCE)
    expect(await snapshot.project('team')).toBeDefined()
    clock.advance(1_000)
    const later = Array.from({ length: 100 }, (_, i) => snapshot.project(`later-${i}`).catch((error: RegistryError) => error.status))
    expect((await Promise.all(later)).filter((status) => status === undefined)).toHaveLength(GUESSES_PER_SECOND)
  })

  it('do not count where they turn out to be somebody’s', async () => {
    const { projects, snapshot } = world()
    for (let i = 0; i < 3 * GUESSES_AT_ONCE; i++) {
      projects.set(`real-${i}`, { version: 1, public: true })
      expect(await snapshot.project(`real-${i}`)).toBeDefined()
    }
  })
})

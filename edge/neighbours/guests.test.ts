import { beforeAll, expect, it } from 'vitest'
import { neighbourTarget, signRequest } from '../../mesh/signing.ts'
import { type EdgeKey, edgeKey, keyPair } from '../identity.ts'
import { keptInMemory } from '../kept.ts'
import { Guests } from './guests.ts'

const NOW = Date.UTC(2026, 0, 1)
const URL_ASKED = 'https://home.example.com/v2/team/app/blobs/sha256:aa'
let key: EdgeKey
let other: EdgeKey
let nonces = 0

beforeAll(async () => {
  key = await edgeKey(await keyPair(keptInMemory()))
  other = await edgeKey(await keyPair(keptInMemory()))
})

const guestsOf = (id: string) =>
  new Guests({
    facts: {
      project: async () => undefined,
      principal: async () => undefined,
      mirrors: async () => undefined,
      edges: async () => ({
        type: 'edges',
        version: 1,
        issuedAt: NOW,
        edges: [{ id: 'asker', name: 'asker', region: 'here', url: 'https://asker.example.com', publicKey: key.publicKey }],
      }),
    },
    origin: { member: { enrolment: { id, name: id, region: 'here', issuer: '', service: '', jwks: { keys: [] } }, key }, now: () => NOW },
  })
const proof = (to: string, { at = NOW, by = key, id = 'asker', method = 'GET' } = {}) =>
  signRequest({ method, url: neighbourTarget(to, new URL(URL_ASKED)).href }, { id, key: by }, at, String(nonces++))
const request = (signed: string, method = 'GET') => new Request(URL_ASKED, { method, headers: { Authorization: `Atoll-Edge ${signed}` } })

it('an edge of the document is let in, once for each proof', async () => {
  const guests = guestsOf('home')
  const signed = await proof('home')
  await guests.admit(request(signed))
  await expect(guests.admit(request(signed))).rejects.toMatchObject({ code: 'UNAUTHORIZED' })
})

it('nobody else is: not with another key, an old proof, one for another edge, another method or the origin, or none', async () => {
  const guests = guestsOf('home')
  const forOrigin = await signRequest({ method: 'GET', url: URL_ASKED }, { id: 'asker', key }, NOW, 'n')
  const bad = [
    await proof('home', { by: other }),
    await proof('home', { id: 'stranger' }),
    await proof('home', { at: NOW - 600_000 }),
    await proof('elsewhere'),
    await proof('home', { method: 'DELETE' }),
    forOrigin,
    'garbage',
    'a.b.c',
  ]
  for (const signed of bad) await expect(guests.admit(request(signed)), signed).rejects.toMatchObject({ code: 'UNAUTHORIZED' })
})

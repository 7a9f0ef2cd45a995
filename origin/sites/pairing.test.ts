import { randomBytes, randomUUID } from 'node:crypto'
import { expect, it } from 'vitest'
import { SITES, signSiteMessage } from '../../mesh/sites.ts'
import { systemClock } from '../../registry/clock.ts'
import { tablesInShort } from '../../schema/mirror/treatment.ts'
import { temporaryDatabase } from '../../test/support/database.ts'
import { quiet as log } from '../../test/support/fill-source.ts'
import { createSecrets, SecretKey } from '../secrets.ts'
import { makeSiteKeys, openSiteKeys } from './keys.ts'
import type { SitesRoom } from './open.ts'
import { admit, invite, join } from './pairing.ts'
import { Standing } from './standing.ts'

const site = { name: 'east', url: 'http://east' }

async function openRoom(embedded = true) {
  const held = await temporaryDatabase()
  const secrets = createSecrets(new SecretKey(randomBytes(32)))
  const standing = await Standing.open({ db: held.db, secrets, clock: systemClock, log, newId: randomUUID })
  const db = { ...held.db, embedded }
  const room = { db, standing, secrets, clock: systemClock, newId: randomUUID, robotKey: randomBytes(32), ownIssuer: 'atoll' } as unknown as SitesRoom
  return { room, secrets, [Symbol.asyncDispose]: () => held[Symbol.asyncDispose]() }
}

it('a site with other tables is turned away without its token being used, and may come again', async () => {
  await using held = await openRoom()
  const { room, secrets } = held
  const { token } = await invite(room, site)
  const { signing, encryption, sealed } = await makeSiteKeys(secrets)
  const card = { id: randomUUID(), name: 'west', url: 'http://west', signing, encryption }
  const keys = await openSiteKeys(sealed, secrets)
  const asking = (body: { readonly token: string; readonly tables: string }) =>
    signSiteMessage({ from: card.id, path: SITES.join, nonce: randomUUID(), time: Date.now(), epoch: 1, body: { ...body, site: card } }, keys.signing)
  await expect(admit(room, await asking({ token, tables: 'of another version' }))).rejects.toThrow('The two sites run different versions')
  await expect(admit(room, await asking({ token: 'wrong', tables: tablesInShort() }))).rejects.toThrow('This token is not known')
  expect(await admit(room, await asking({ token, tables: tablesInShort() }))).toMatchObject({ answer: { site: { name: 'east' } } })
  await expect(admit(room, await asking({ token, tables: tablesInShort() }))).rejects.toThrow('was used already')
})

it('a site whose database is at a server is no half of a pair, and says why', async () => {
  await using held = await openRoom(false)
  await expect(invite(held.room, site)).rejects.toThrow('this site has its database at a server')
  await expect(join(held.room, site, 'http://west', 'token')).rejects.toThrow('this site has its database at a server')
})

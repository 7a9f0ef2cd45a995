import { randomBytes, randomUUID } from 'node:crypto'
import { expect, it } from 'vitest'
import { systemClock } from '../../registry/clock.ts'
import { temporaryDatabase } from '../../test/support/database.ts'
import { quiet } from '../../test/support/fill-source.ts'
import { createSecrets, SecretKey } from '../secrets.ts'
import type { SitesRoom } from './open.ts'
import { invite } from './pairing.ts'
import { Standing } from './standing.ts'

it('a site that restarts waits for the whole of the lease that it may have promised, however long that was made', async () => {
  await using held = await temporaryDatabase()
  const options = { db: held.db, secrets: createSecrets(new SecretKey(randomBytes(32))), clock: systemClock, log: quiet, newId: randomUUID }
  const standing = await Standing.open(options)
  await invite({ ...options, standing, ownIssuer: 'atoll' } as unknown as SitesRoom, { name: 'east', url: 'http://east' })
  await standing.change((pair) => ({ ...pair, leaseMs: 120_000 }))
  expect((await Standing.open(options)).vow.remaining).toBeGreaterThan(120_000)
})

import type { Database } from '../../schema/database.ts'
import { addSigningKey, dropSigningKey, listSigningKeys, retireSigningKey, settleSigningKey } from '../../schema/keys.ts'
import type { KeyStore } from './key-ring.ts'

const ACTOR = 'system'

/** The origin's keys in its database. */
export function databaseKeys(db: Database): KeyStore {
  return {
    async all() {
      const rows = await listSigningKeys(db)
      return rows.map(({ kid, publicJwk, sealedPrivate, createdAt, retiredAt }) => ({
        kid,
        publicJwk,
        sealedPrivate,
        createdAt,
        retiredAt: retiredAt ?? undefined,
      }))
    },
    async settle(key, since) {
      await settleSigningKey(db, { ...key, algorithm: 'EdDSA' }, since)
    },
    async add(key, actor) {
      await addSigningKey(db, { ...key, algorithm: 'EdDSA' }, actor)
    },
    async retire(kid) {
      await retireSigningKey(db, kid, ACTOR)
    },
    remove: (kid, actor) => dropSigningKey(db, kid, actor),
  }
}

import type { Database } from '../../schema/database.ts'
import { addSigningKey, dropSigningKey, listSigningKeys, retireSigningKey, settleSigningKey } from '../../schema/keys.ts'
import type { KeyStore } from './key-ring.ts'

const ACTOR = 'system'

/** The origin's keys in its database. */
export function databaseKeys(db: Database): KeyStore {
  return {
    async all() {
      const rows = await listSigningKeys(db)
      return rows.map(({ kid, publicJwk, sealedPrivate, retiredAt }) => ({ kid, publicJwk, sealedPrivate, retiredAt: retiredAt ?? undefined }))
    },
    async add(key, unlessAny) {
      const row = { ...key, algorithm: 'EdDSA' }
      if (unlessAny) await settleSigningKey(db, row)
      else await addSigningKey(db, row, ACTOR)
    },
    async retire(kid) {
      await retireSigningKey(db, kid, ACTOR)
    },
    remove: (kid) => dropSigningKey(db, kid),
  }
}

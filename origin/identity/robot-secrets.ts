import { createHmac, randomInt } from 'node:crypto'
import { sameSecret } from '../../runtime/credentials/same.ts'
import type { SecretKey } from '../secrets.ts'
import type { RobotSecrets } from '../services.ts'

// A robot's secret is 32 random characters (190 bits): nobody guesses it, so one keyed hash keeps it, and a CI machine that
// logs in for every step costs nothing.

const LENGTH = 32
const CHARACTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789'

/** What this site hashes them with. */
export function robotKey(key: SecretKey): Buffer {
  return key.derive('robot secrets')
}

/** `others`: what other sites hash them with whose robots are robots here. */
export function createRobotSecrets(key: SecretKey, others: () => Promise<readonly Buffer[]> = async () => []): RobotSecrets {
  const own = robotKey(key)
  const hash = (secret: string, bytes = own) => `hmac-sha256$${createHmac('sha256', bytes).update(secret).digest('base64url')}`
  return {
    async create() {
      const secret = Array.from({ length: LENGTH }, () => CHARACTERS.charAt(randomInt(CHARACTERS.length))).join('')
      return { secret, hash: hash(secret) }
    },
    async hash(secret) {
      return hash(secret)
    },
    async verify(secret, stored) {
      const fits = (bytes: Buffer) => sameSecret(stored, hash(secret, bytes))
      if (fits(own)) return true
      return (await others()).some(fits)
    },
  }
}

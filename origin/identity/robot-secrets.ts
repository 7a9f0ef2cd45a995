import { createHmac, randomInt, timingSafeEqual } from 'node:crypto'
import type { SecretKey } from '../secrets.ts'
import type { RobotSecrets } from '../services.ts'

// A robot's secret is 32 random characters (190 bits): nobody guesses it, so one keyed hash keeps it, and a CI machine that
// logs in for every step costs nothing.

const LENGTH = 32
const CHARACTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789'

export function createRobotSecrets(key: SecretKey): RobotSecrets {
  const bytes = key.derive('robot secrets')
  const mac = (secret: string) => createHmac('sha256', bytes).update(secret).digest()
  const hash = (secret: string) => `hmac-sha256$${mac(secret).toString('base64url')}`
  return {
    async create() {
      const secret = Array.from({ length: LENGTH }, () => CHARACTERS.charAt(randomInt(CHARACTERS.length))).join('')
      return { secret, hash: hash(secret) }
    },
    async hash(secret) {
      return hash(secret)
    },
    async verify(secret, stored) {
      const expected = Buffer.from(hash(secret))
      const given = Buffer.from(stored)
      return expected.length === given.length && timingSafeEqual(expected, given)
    },
  }
}

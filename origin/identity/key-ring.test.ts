import { randomBytes } from 'node:crypto'
import { expect, test } from 'vitest'
import { createSecrets, SecretKey } from '../secrets.ts'
import { makeKey } from './key-ring.ts'

test('no key is called what a command line takes for an option', async () => {
  const secrets = createSecrets(new SecretKey(randomBytes(32)))
  // One thumbprint in 64 begins with a dash.
  const made = await Promise.all(Array.from({ length: 640 }, () => makeKey(secrets)))
  expect(made.filter(({ kid }) => kid.startsWith('-'))).toEqual([])
})

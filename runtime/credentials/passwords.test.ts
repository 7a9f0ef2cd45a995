import { expect, test } from 'vitest'
import { createPasswords } from './passwords.ts'

const CHEAP = { N: 2 ** 4, r: 8, p: 1 }

test('a password is known by its hash, in whatever form Unicode writes it, and by no other', async () => {
  const passwords = createPasswords(CHEAP)
  const stored = await passwords.hash('Zu\u0308rich-1')
  expect(await passwords.verify('Z\u00fcrich-1', stored)).toBe(true)
  expect(await passwords.verify('Zurich-1', stored)).toBe(false)
  expect(await passwords.hash('Z\u00fcrich-1')).not.toBe(stored)
})

test('hashes of other parameters are still right, and said to be outdated; what is no hash is wrong', async () => {
  const stored = await createPasswords(CHEAP).hash('secret')
  const dearer = createPasswords({ ...CHEAP, N: 2 ** 5 })
  expect(await dearer.verify('secret', stored)).toBe(true)
  expect(dearer.outdated(stored)).toBe(true)
  expect(createPasswords(CHEAP).outdated(stored)).toBe(false)
  for (const broken of [undefined, '', 'secret', 'scrypt$16$8$1$$', stored.slice(0, -4)]) expect(await dearer.verify('secret', broken)).toBe(false)
})

test('a crowd of logins is refused beyond what may wait, and those before it are answered', async () => {
  const passwords = createPasswords(CHEAP)
  const stored = await passwords.hash('secret')
  const answers = await Promise.allSettled(Array.from({ length: 200 }, () => passwords.verify('secret', stored)))
  const refused = answers.filter(({ status }) => status === 'rejected')
  expect(refused).toHaveLength(200 - 66)
  expect(answers.slice(0, 66).every((answer) => answer.status === 'fulfilled' && answer.value)).toBe(true)
})

import { expect, it } from 'vitest'
import { wrongBytes } from './errors.ts'

it('a reason that is a sentence of its own, and one that is none, end with one full stop', () => {
  for (const reason of ['hub.test sends more than the 9 bytes it announced.', 'it hashes to another'])
    expect(wrongBytes('hub.test', reason).message).toMatch(/[a-z]\. Nothing of it was kept\.$/)
})

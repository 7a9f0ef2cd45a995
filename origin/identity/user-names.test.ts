import { expect, it } from 'vitest'
import { openTestOrigin, PASSWORD } from '../testing/origin.ts'

it('nobody is called as the audit log calls those who have no account', async () => {
  const origin = await openTestOrigin()
  try {
    const make = async (username: string) => {
      const json = { username, password: 'Passw0rd-1', email: `${username}@example.com`, realname: 'Somebody' }
      const answer = await origin.ask('POST', '/api/v2.0/users', { credentials: `admin:${PASSWORD}`, json })
      return { status: answer.status, text: await answer.text() }
    }
    for (const name of ['anonymous', 'Anonymous', 'system', 'SYSTEM']) {
      expect({ name, ...(await make(name)) }).toEqual({ name, status: 400, text: expect.stringContaining('is not anonymous or system') })
    }
    for (const name of ['systems', 'anonymous1']) expect(await make(name)).toMatchObject({ status: 201 })
  } finally {
    await origin.close()
  }
})

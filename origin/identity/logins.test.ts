import { expect, it } from 'vitest'
import { Throttle } from '../../runtime/credentials/throttle.ts'
import { openTestOrigin, PASSWORD } from '../testing/origin.ts'
import { SharedGuesses } from './guesses.ts'
import { Logins } from './logins.ts'

it('an unknown robot costs as much as a known one, and an unknown person as much as a known one', async () => {
  const origin = await openTestOrigin()
  try {
    const { facts } = origin.origin
    const real = origin.origin.services
    let work: string[] = []
    const logins = new Logins({
      facts,
      passwords: {
        ...real.passwords,
        verify: (password, stored) => {
          work.push('password')
          return real.passwords.verify(password, stored)
        },
      },
      robotSecrets: {
        ...real.robotSecrets,
        verify: (secret, stored) => {
          work.push('robot')
          return real.robotSecrets.verify(secret, stored)
        },
      },
      throttle: new Throttle(origin.clock),
      guesses: new SharedGuesses({ db: real.db, key: Buffer.alloc(32), log: real.log }),
      clock: origin.clock,
      directory: async () => undefined,
      rehash: async () => {},
    })
    const made = await origin.ask('POST', '/api/v2.0/robots', {
      credentials: `admin:${PASSWORD}`,
      json: {
        name: 'ci',
        level: 'system',
        duration: -1,
        permissions: [{ kind: 'project', namespace: 'library', access: [{ resource: 'repository', action: 'pull' }] }],
      },
    })
    expect(made.status).toBe(201)
    const workFor = async (name: string) => {
      work = []
      await expect(logins.login(name, 'wrong', '192.0.2.1')).rejects.toMatchObject({ code: 'UNAUTHORIZED' })
      return work
    }
    expect(await workFor('robot$nobody')).toEqual(await workFor('robot$ci'))
    expect(await workFor('nobody')).toEqual(await workFor('admin'))
  } finally {
    await origin.close()
  }
})

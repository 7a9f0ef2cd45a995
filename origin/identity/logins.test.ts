import { expect, it } from 'vitest'
import type { RegistryError } from '../../registry/spec/errors.ts'
import { Throttle } from '../../runtime/credentials/throttle.ts'
import { createUser, findUserByUsername, updateUser } from '../../schema/users.ts'
import { openTestOrigin, PASSWORD } from '../testing/origin.ts'
import { SharedGuesses } from './guesses.ts'
import { Logins } from './logins.ts'

it('whoever is asked for with a wrong secret costs the same work and is told the same: unknown, known here, known elsewhere, disabled', async () => {
  const origin = await openTestOrigin()
  try {
    const { facts } = origin.origin
    const real = origin.origin.services
    let work: string[] = []
    const asked: string[] = []
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
      directory: async (name, password) => {
        work.push('directory')
        asked.push(`${name} ${password}`)
        return undefined
      },
      onWrong: () => {},
      mode: async () => 'db_auth',
      stillRight: async () => true,
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
    for (const [username, passwordHash] of [
      ['disabled', await real.passwords.hash('Passw0rd-1')],
      ['elsewhere', undefined],
    ] as const) {
      await createUser(real.db, { username, passwordHash }, 'user:1')
    }
    const disabled = await findUserByUsername(real.db, 'disabled')
    await updateUser(real.db, disabled?.id ?? 0, { disabled: true }, 'user:1')
    const triesOf = async (name: string) => {
      work = []
      const error = await logins.login(name, 'wrong', '192.0.2.1').catch((thrown: unknown) => thrown)
      return { work, code: (error as RegistryError).code, message: (error as RegistryError).message }
    }
    const person = { work: ['password', 'directory'], code: 'UNAUTHORIZED', message: 'The user name or the password is wrong.' }
    for (const name of ['nobody', 'admin', 'disabled', 'elsewhere']) expect({ name, ...(await triesOf(name)) }).toEqual({ name, ...person })
    for (const name of ['robot$nobody', 'robot$ci']) expect({ name, ...(await triesOf(name)) }).toEqual({ name, ...person, work: ['robot'] })
    // What belongs to this place goes nowhere else.
    expect(asked.filter((each) => each.startsWith('admin ') || each.startsWith('disabled '))).toEqual([])
    expect(asked).toEqual(expect.arrayContaining(['nobody wrong', 'elsewhere wrong']))
  } finally {
    await origin.close()
  }
})

import { expect, it } from 'vitest'
import type { RegistryError } from '../../registry/spec/errors.ts'
import { Throttle } from '../../runtime/credentials/throttle.ts'
import { onboardLinked } from '../../schema/oidc-links.ts'
import { createUser, findUserByUsername, updateUser } from '../../schema/users.ts'
import { openTestOrigin, PASSWORD } from '../testing/origin.ts'
import { SharedGuesses } from './guesses.ts'
import { Logins } from './logins.ts'
import { sealCliSecret } from './oidc/cli-secrets.ts'

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
      linked: async () => false,
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

it('who is of an OpenID provider logs in by his CLI secret alone while that is asked, whatever password he was given here', async () => {
  const origin = await openTestOrigin()
  try {
    const { db, secrets } = origin.origin.services
    const link = {
      issuer: 'https://op.example',
      subject: 'ada',
      sealedSecret: await sealCliSecret(secrets, 'Cli-s3cret-1'),
      sealedRefreshToken: null,
    }
    const id = await onboardLinked(db, { username: 'ada' }, { ...link, checkedAt: 0 })
    const set = async (path: string, json: object) =>
      expect((await origin.ask('PUT', `/api/v2.0${path}`, { credentials: `admin:${PASSWORD}`, json })).status).toBe(200)
    const works = async (secret: string) => (await origin.ask('GET', '/api/v2.0/users/current', { credentials: `ada:${secret}` })).status === 200
    const both = async () => ({ password: await works('Passw0rd-1'), cliSecret: await works('Cli-s3cret-1') })
    await set(`/users/${id}/password`, { new_password: 'Passw0rd-1' })
    for (const auth_mode of ['db_auth', 'oidc_auth', 'db_auth', 'oidc_auth']) {
      await set('/configurations', { auth_mode })
      const expected = { auth_mode, password: auth_mode === 'db_auth', cliSecret: auth_mode === 'oidc_auth' }
      expect({ auth_mode, ...(await both()) }).toEqual(expected)
      expect({ auth_mode, ...(await both()) }, 'what is remembered').toEqual(expected)
    }
  } finally {
    await origin.close()
  }
})

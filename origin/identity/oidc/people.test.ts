import { expect, it } from 'vitest'
import { onboardLinked } from '../../../schema/oidc-links.ts'
import { createUser } from '../../../schema/users.ts'
import { openTestOrigin } from '../../testing/origin.ts'
import { sealCliSecret } from './cli-secrets.ts'
import { OidcPeople } from './people.ts'

it('a wrong CLI secret costs the same work whoever is asked for: nobody, one of no provider, one of the provider', async () => {
  const origin = await openTestOrigin()
  try {
    const { db, live, secrets, log } = origin.origin.services
    await createUser(db, { username: 'local' }, 'user:1')
    const link = { issuer: 'https://op.example', subject: 'ada', sealedSecret: await sealCliSecret(secrets, 'right'), sealedRefreshToken: null }
    await onboardLinked(db, { username: 'ada' }, { ...link, checkedAt: 0 })
    let opened = 0
    const counted = {
      ...secrets,
      unseal: (sealed: string, purpose: string) => {
        opened++
        return secrets.unseal(sealed, purpose)
      },
    }
    const people = new OidcPeople(db, Object.assign(Object.create(live), { get: async () => 'oidc_auth' }), counted, log)
    const workFor = async (name: string, secret: string) => {
      opened = 0
      return { is: await people.login(name, secret), opened }
    }
    for (const name of ['nobody', 'local', 'ada']) expect({ name, ...(await workFor(name, 'wrong')) }).toEqual({ name, is: undefined, opened: 1 })
    expect(await workFor('ada', 'right')).toEqual({ is: 'ada', opened: 1 })
  } finally {
    await origin.close()
  }
})

import { expect, it } from 'vitest'
import { openTestOrigin, PASSWORD } from '../testing/origin.ts'
import { sameServer } from './same-server.ts'

it.each([
  ['https://id.example.com', 'https://id.example.com:443/realms/x', true],
  ['https://id.example.com', 'https://ID.example.com', true],
  ['https://id.example.com', 'http://id.example.com', false],
  ['https://id.example.com', 'https://id.example.com:8443', false],
  ['https://id.example.com', 'https://id.example.com.evil.example', false],
  ['ldap://dir.example.com', 'ldap://DIR.example.com:389', true],
  ['ldaps://dir.example.com:636', 'ldaps://dir.example.com/', true],
  ['ldap://dir.example.com', 'ldaps://dir.example.com', false],
  ['ldap://dir.example.com', 'ldap://dir.example.com:3389', false],
  ['ldap://dir.example.com', undefined, false],
  ['no address', 'no address', false],
])('one server has one scheme, host and port: %s and %s', (one, other, same) => {
  expect(sameServer(one, other)).toBe(same)
})

it('a secret that is kept follows its address to no other port, and out of no encryption', async () => {
  const origin = await openTestOrigin()
  try {
    const set = async (json: object) => {
      const answer = await origin.ask('PUT', '/api/v2.0/configurations', { credentials: `admin:${PASSWORD}`, json })
      return { status: answer.status, text: await answer.text() }
    }
    for (const [address, secret, was, elsewhere, there] of [
      ['oidc_endpoint', 'oidc_client_secret', 'https://id.example.com', ['https://id.example.com:8443', 'http://id.example.com'], '/realms/x'],
      ['ldap_url', 'ldap_search_password', 'ldaps://dir.example.com', ['ldaps://dir.example.com:3636', 'ldap://dir.example.com'], ':636'],
    ] as const) {
      expect(await set({ [address]: was, [secret]: 's3cret' })).toMatchObject({ status: 200 })
      for (const moved of elsewhere) {
        expect(await set({ [address]: moved })).toEqual({ status: 400, text: expect.stringContaining(`${secret}: is missing`) })
      }
      expect(await set({ [address]: was + there })).toMatchObject({ status: 200 })
      expect(await set({ [address]: elsewhere[0], [secret]: 'another' })).toMatchObject({ status: 200 })
    }
  } finally {
    await origin.close()
  }
})

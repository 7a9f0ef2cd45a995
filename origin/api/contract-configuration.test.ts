import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { CONTRACT_PRESENT, Contract } from '../testing/contract.ts'
import { openTestOrigin, type TestOrigin } from '../testing/origin.ts'

type Shown = Record<string, { value: unknown; editable: boolean }>

describe.skipIf(!CONTRACT_PRESENT)('configuration and groups keep to the contract', () => {
  let origin: TestOrigin
  let ask: Contract['ask']

  beforeAll(async () => {
    origin = await openTestOrigin({ banner_message: 'fixed by file' })
    ask = new Contract(origin).ask
  })
  afterAll(async () => {
    await origin.close()
  })

  test('settings are shown, changed, fixed and checked, and no secret is among them', async () => {
    const C = '/configurations'
    const shown = async () => (await ask(`GET ${C}`, C, 200)).body as Shown
    expect(await shown()).toMatchObject({
      auth_mode: { value: 'db_auth', editable: true },
      banner_message: { value: 'fixed by file', editable: false },
      read_only: { value: false, editable: false },
    })
    await ask(`PUT ${C}`, C, 200, { project_creation_restriction: 'everyone', oidc_client_secret: 'hush-hush', oidc_scope: 'openid,email' })
    const after = await shown()
    expect(after).toMatchObject({ project_creation_restriction: { value: 'everyone' }, oidc_scope: { value: 'openid,email' } })
    expect(JSON.stringify(after)).not.toContain('hush')
    await ask('GET /internalconfig', '/internalconfig', 200)
    // What was shown may be sent back whole.
    await ask(`PUT ${C}`, C, 200, Object.fromEntries(Object.entries(after).map(([key, { value }]) => [key, value])))
    for (const wrong of [
      { auth_mode: 'guess' },
      { nonsense: 1 },
      JSON.parse('{"__proto__": 1}'),
      JSON.parse('{"session_timeout": 60, "__proto__": {}}'),
      { banner_message: 'mine' },
      { read_only: true },
      { ldap_scope: 9 },
      { session_timeout: 'x' },
      { robot_token_duration: 0 },
      { oidc_scope: 'profile' },
      { oidc_extra_redirect_parms: 1 },
      { oidc_extra_redirect_parms: '["a"]' },
    ]) {
      await ask(`PUT ${C}`, C, 400, wrong)
    }
    await ask(`GET ${C}`, C, 401, undefined, '')

    await ask('POST /users', '/users', 201, { username: 'ada', password: 'Lovelace1815', email: 'ada@example.com', realname: 'Ada' })
    const ada = 'ada:Lovelace1815'
    await ask('POST /projects', '/projects', 201, { project_name: 'hers' }, ada)
    await ask(`PUT ${C}`, C, 403, { self_registration: true }, ada)
    await ask(`PUT ${C}`, C, 200, { project_creation_restriction: 'adminonly', storage_per_project: 5_000 })
    await ask('POST /projects', '/projects', 403, { project_name: 'hers2' }, ada)
    await ask('POST /projects', '/projects', 201, { project_name: 'limited' })
    expect((await ask('GET /projects/{project_name_or_id}/summary', '/projects/limited/summary', 200)).body).toMatchObject({
      quota: { hard: { storage: 5_000 } },
    })
    expect((await ask('GET /systeminfo', '/systeminfo', 200)).body).toMatchObject({ banner_message: 'fixed by file', auth_mode: 'db_auth' })
  })

  test('groups', async () => {
    const G = '/usergroups'
    const { id } = await ask(`POST ${G}`, G, 201, { group_name: 'staff', group_type: 3 })
    await ask(`POST ${G}`, G, 409, { group_name: 'staff', group_type: 3 })
    await ask(`POST ${G}`, G, 201, { group_name: 'ops', group_type: 1, ldap_group_dn: 'cn=ops,dc=example,dc=org' })
    await ask(`POST ${G}`, G, 409, { group_name: 'others', group_type: 1, ldap_group_dn: 'CN=ops, dc=example,dc=org' })
    await ask(`POST ${G}`, G, 400, { group_name: 'x', group_type: 1 })
    await ask(`POST ${G}`, G, 400, { group_name: '', group_type: 3 })
    await ask(`GET ${G}`, `${G}?group_name=sta`, 200)
    expect((await ask(`GET ${G}`, `${G}?ldap_group_dn=cn%3Dops%2Cdc%3Dexample%2Cdc%3Dorg`, 200)).body).toMatchObject([{ group_name: 'ops' }])
    await ask(`GET ${G}/search`, `${G}/search?groupname=o`, 200)
    await ask(`PUT ${G}/{group_id}`, `${G}/${id}`, 200, { group_name: 'crew' })
    expect((await ask(`GET ${G}/{group_id}`, `${G}/${id}`, 200)).body).toMatchObject({ group_name: 'crew', group_type: 3 })
    await ask('POST /projects', '/projects', 201, { project_name: 'crewed' })
    await ask('POST /projects/{project_name_or_id}/members', '/projects/crewed/members', 201, { role_id: 3, member_group: { id } })
    await ask(`DELETE ${G}/{group_id}`, `${G}/${id}`, 200)
    await ask(`GET ${G}/{group_id}`, `${G}/${id}`, 404)
    expect((await ask('GET /projects/{project_name_or_id}/members', '/projects/crewed/members', 200)).headers.get('X-Total-Count')).toBe('1')
  })
})

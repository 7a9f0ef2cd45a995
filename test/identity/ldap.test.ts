import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { CONTRACT_PRESENT, Contract } from '../../origin/testing/contract.ts'
import { openTestOrigin, PASSWORD, type TestOrigin } from '../../origin/testing/origin.ts'
import { LdapCounter } from '../support/ldap-counter.ts'
import { BASE, ROOT, SLAPD_PRESENT, Slapd } from '../support/slapd.ts'

const ADMIN = `admin:${PASSWORD}`

describe.skipIf(!SLAPD_PRESENT || !CONTRACT_PRESENT)('people of a real slapd', () => {
  let slapd: Slapd
  let origin: TestOrigin
  let ask: Contract['ask']

  beforeAll(async () => {
    slapd = await Slapd.start()
    origin = await openTestOrigin()
    ask = new Contract(origin).ask
    await ask('PUT /configurations', '/configurations', 200, {
      auth_mode: 'ldap_auth',
      ldap_url: slapd.url,
      ldap_search_dn: ROOT.dn,
      ldap_search_password: ROOT.password,
      ldap_base_dn: `ou=people,${BASE}`,
      ldap_filter: '(objectClass=inetOrgPerson)',
      ldap_uid: 'uid',
      ldap_scope: 2,
      ldap_group_base_dn: `ou=groups,${BASE}`,
      ldap_group_search_filter: '(objectClass=groupOfNames)',
      ldap_group_attribute_name: 'cn',
      ldap_group_admin_dn: `cn=admins,ou=groups,${BASE}`,
    })
  }, 60_000)
  afterAll(async () => {
    await origin?.close()
    await slapd?.[Symbol.asyncDispose]()
  })

  const login = async (credentials: string) => (await origin.ask('GET', '/api/v2.0/users/current', { credentials })).status

  test('log in with the password of the directory, and with no other', async () => {
    expect(await login('ada:ada-secret')).toBe(200)
    for (const wrong of ['ada:wrong', 'ada:', 'nobody:ada-secret', '*:ada-secret', 'ad*:ada-secret', 'ada)(uid=*:ada-secret']) {
      expect({ wrong, status: await login(wrong) }).toEqual({ wrong, status: 401 })
    }
    const said = async (credentials: string) => await (await origin.ask('GET', '/api/v2.0/users/current', { credentials })).text()
    expect(await said('eve:wrong')).toBe(await said('mallory:wrong'))
    expect(await login(ADMIN)).toBe(200)
    expect((await ask('GET /users/current', '/users/current', 200, undefined, 'ada:ada-secret')).body).toMatchObject({
      username: 'ada',
      email: 'ada@example.org',
      realname: 'ada Example',
      sysadmin_flag: false,
    })
    // Of the administrators' group.
    expect((await ask('GET /users/current', '/users/current', 200, undefined, 'bob:bob-secret')).body).toMatchObject({ admin_role_in_auth: true })
    expect(origin.lines.join('')).not.toMatch(/ada-secret|root-secret/)
  })

  test('are administrators as long as their group is that of the administrators, whatever was said of them here', async () => {
    const current = async (credentials: string) => (await ask('GET /users/current', '/users/current', 200, undefined, credentials)).body
    const { user_id: bob } = (await current('bob:bob-secret')) as { user_id: number }
    const { user_id: ada } = (await current('ada:ada-secret')) as { user_id: number }
    const users = async (credentials: string) => (await origin.ask('GET', '/api/v2.0/users', { credentials })).status
    await ask('PUT /users/{user_id}/sysadmin', `/users/${ada}/sysadmin`, 200, { sysadmin_flag: true })
    expect([await users('ada:ada-secret'), await users('bob:bob-secret')]).toEqual([200, 200])
    const was = `cn=admins,ou=groups,${BASE}`
    await ask('PUT /configurations', '/configurations', 200, { ldap_group_admin_dn: '' })
    try {
      expect([await users('ada:ada-secret'), await users('bob:bob-secret')]).toEqual([200, 403])
    } finally {
      await ask('PUT /configurations', '/configurations', 200, { ldap_group_admin_dn: was })
    }
    // Their passwords are the directory's: nobody makes them strangers to it.
    expect((await origin.ask('PUT', `/api/v2.0/users/${bob}/password`, { credentials: ADMIN, json: { new_password: 'Passw0rd1' } })).status).toBe(403)
    await ask('PUT /users/{user_id}/sysadmin', `/users/${ada}/sysadmin`, 200, { sysadmin_flag: false })
    expect(await login('bob:bob-secret')).toBe(200)
  })

  test('a wrong password asks the directory the same, whoever it is for: nobody, one with groups, one with a password here', async () => {
    await using counter = await LdapCounter.before(slapd.url)
    await ask('PUT /configurations', '/configurations', 200, { ldap_url: counter.url, ldap_search_password: ROOT.password })
    try {
      for (const path of ['GET /api/v2.0/users/current', 'POST /c/login', 'GET /service/token']) {
        const [method = '', address = ''] = path.split(' ')
        const answers = await Array.fromAsync(['mallory', 'eve', 'admin'], async (name) => {
          const given = method === 'POST' ? { form: { principal: name, password: 'wrong' } } : { credentials: `${name}:wrong` }
          const answer = await origin.ask(method, address, given)
          return { status: answer.status, text: await answer.text(), asked: counter.asked() }
        })
        expect(answers[0]).toMatchObject({ status: 401, asked: ['bind', 'search', 'bind'] })
        for (const answer of answers) expect({ path, ...answer }).toEqual({ path, ...answers[0] })
      }
      expect(await login('eve:eve-secret')).toBe(200)
    } finally {
      await ask('PUT /configurations', '/configurations', 200, { ldap_url: slapd.url, ldap_search_password: ROOT.password })
    }
  })

  test('a name is the one that the directory has, with no space around it: guesses are counted by names', async () => {
    for (const name of [' eve', 'eve ', '  eve  ']) expect(await login(`${name}:eve-secret`), name).toBe(401)
    expect(await login('Eve:eve-secret')).toBe(200)
  })

  test('a directory that does not answer makes nobody a guesser', async () => {
    await ask('PUT /configurations', '/configurations', 200, { ldap_url: 'ldap://127.0.0.1:9', ldap_search_password: ROOT.password })
    origin.clock.ahead += 60_000
    try {
      for (let times = 0; times < 15; times++) expect(await login('ada:ada-secret')).toBe(503)
      for (let times = 0; times < 110; times++) expect(await login(`somebody-${times}:secret`)).toBe(503)
    } finally {
      await ask('PUT /configurations', '/configurations', 200, { ldap_url: slapd.url, ldap_search_password: ROOT.password })
    }
    expect(await login('ada:ada-secret')).toBe(200)
  })

  test('a role of a group, and of a group that this one is in, reaches its people', async () => {
    await ask('POST /projects', '/projects', 201, { project_name: 'grouped' })
    const P = '/projects/{project_name_or_id}'
    await ask(`GET ${P}`, '/projects/grouped', 404, undefined, 'ada:ada-secret')
    await ask(`POST ${P}/members`, '/projects/grouped/members', 201, {
      role_id: 2,
      member_group: { group_type: 1, ldap_group_dn: `CN=engineering, ou=groups,${BASE}` },
    })
    // She is of it since her login before.
    await ask(`GET ${P}`, '/projects/grouped', 200, undefined, 'ada:ada-secret')
    await slapd.change('ldapmodify', `dn: cn=developers,ou=groups,${BASE}\nchangetype: modify\nreplace: member\nmember: uid=eve,ou=people,${BASE}\n`)
    origin.clock.ahead += 60_000
    await ask(`GET ${P}`, '/projects/grouped', 404, undefined, 'ada:ada-secret')
    await ask(`GET ${P}`, '/projects/grouped', 200, undefined, 'eve:eve-secret')
    const groups = (await ask('GET /usergroups', '/usergroups', 200)).body as { group_name: string; id: number }[]
    expect(groups.map(({ group_name }) => group_name).sort()).toEqual(expect.arrayContaining(['admins', 'developers']))
    await ask('GET /usergroups/search', '/usergroups/search?groupname=devel', 200, undefined, 'ada:ada-secret')
  })

  test('who is removed from the directory has no access any more', async () => {
    await slapd.change('ldapadd', `dn: uid=tom,ou=people,${BASE}\nobjectClass: inetOrgPerson\nuid: tom\ncn: Tom\nsn: T\nuserPassword: tom-secret\n`)
    expect(await login('tom:tom-secret')).toBe(200)
    const begun = await origin.ask('POST', '/c/login', { form: { principal: 'tom', password: 'tom-secret' } })
    const cookie = begun.headers.get('set-cookie')?.split(';')[0] ?? ''
    const bySession = async () => (await origin.ask('GET', '/api/v2.0/users/current', { cookie })).status
    expect(await bySession()).toBe(200)
    // A base that is not there says nothing of him.
    await ask('PUT /configurations', '/configurations', 200, { ldap_base_dn: `ou=nowhere,${BASE}` })
    origin.clock.ahead += 60_000
    expect([await login('tom:tom-secret'), await bySession()]).toEqual([503, 200])
    await ask('PUT /configurations', '/configurations', 200, { ldap_base_dn: `ou=people,${BASE}` })
    await slapd.remove(`uid=tom,ou=people,${BASE}`)
    origin.clock.ahead += 60_000
    expect([await login('tom:tom-secret'), await bySession()]).toEqual([401, 401])
  })

  test('who is called there as the audit log calls this system has no account here', async () => {
    const person = 'objectClass: inetOrgPerson\nuid: System\ncn: S\nsn: S\nuserPassword: system-secret\n'
    await slapd.change('ldapadd', `dn: uid=System,ou=people,${BASE}\n${person}`)
    expect(await login('system:system-secret')).toBe(401)
    await slapd.remove(`uid=System,ou=people,${BASE}`)
  })

  test('ping, search and import', async () => {
    const ping = async (conf: object) => (await ask('POST /ldap/ping', '/ldap/ping', 200, conf)).body as { success: boolean; message: string }
    expect(await ping({})).toEqual({ success: true, message: '' })
    for (const conf of [{ ldap_search_password: 'wrong' }, { ldap_url: 'ldap://127.0.0.1:1' }, { ldap_url: 'http://x' }, { ldap_filter: '((' }]) {
      const answer = await ping(conf)
      expect({ conf, ...answer }).toMatchObject({ conf, success: false, message: expect.stringMatching(/./) })
    }
    await ask('POST /ldap/ping', '/ldap/ping', 403, {}, 'ada:ada-secret')
    const unset = await openTestOrigin()
    try {
      const greet = async (ldap_url: string) => (await new Contract(unset).ask('POST /ldap/ping', '/ldap/ping', 200, { ldap_url })).body
      expect(await greet(slapd.url)).toEqual({ success: true, message: '' })
      expect(await greet('ldap://127.0.0.1:1')).toMatchObject({ success: false })
    } finally {
      await unset.close()
    }
    expect((await ask('GET /ldap/users/search', '/ldap/users/search?username=v', 200)).body).toMatchObject([{ username: 'eve' }])
    expect((await ask('GET /ldap/groups/search', '/ldap/groups/search?groupname=engin', 200)).body).toMatchObject([
      { group_name: 'engineering', group_type: 1 },
    ])
    const dn = encodeURIComponent(`cn=admins,ou=groups,${BASE}`)
    expect((await ask('GET /ldap/groups/search', `/ldap/groups/search?groupdn=${dn}`, 200)).body).toMatchObject([{ group_name: 'admins' }])
    await ask('POST /ldap/users/import', '/ldap/users/import', 200, { ldap_uid_list: ['eve'] })
    for (const filter of ['(&(a=b)', '(objectClass=*))', '(a=b)(c=d)']) {
      await ask('PUT /configurations', '/configurations', 400, { ldap_filter: filter })
    }
    const failed = await origin.ask('POST', '/api/v2.0/ldap/users/import', { credentials: ADMIN, json: { ldap_uid_list: ['eve', 'ghost'] } })
    expect({ status: failed.status, body: await failed.json() }).toMatchObject({ status: 404, body: [{ uid: 'ghost' }] })
  })

  test('people and groups of the directory are members before anybody has logged in, and none that it does not know', async () => {
    const add = async (status: number, json: object) =>
      await ask('POST /projects/{project_name_or_id}/members', '/projects/library/members', status, { role_id: 2, ...json })
    await add(201, { member_user: { username: 'newcomer' } })
    await add(400, { member_user: { username: 'ghost' } })
    await add(201, { member_group: { group_type: 1, ldap_group_dn: `cn=engineering,ou=groups,${BASE}` } })
    for (const ldap_group_dn of ['cn=nowhere,dc=elsewhere', 'no dn']) await add(400, { member_group: { group_type: 1, ldap_group_dn } })
    await add(400, { member_group: { group_type: 1, group_name: 'unheard' } })
    await ask('POST /usergroups', '/usergroups', 400, { group_name: 'x', group_type: 1, ldap_group_dn: `cn=nowhere,ou=groups,${BASE}` })
    const shown = (await ask('GET /projects/{project_name_or_id}/members', '/projects/library/members', 200)).body as { entity_name: string }[]
    expect(shown.map(({ entity_name }) => entity_name)).toEqual(expect.arrayContaining(['newcomer', 'engineering']))
  })

  test('by ldaps and by StartTLS, and to no server whose certificate is not trusted', async () => {
    const ping = async (conf: object) => (await ask('POST /ldap/ping', '/ldap/ping', 200, conf)).body as { success: boolean }
    const secure = { ldap_url: slapd.secureUrl, ldap_search_password: ROOT.password }
    expect(await ping({ ldap_url: slapd.secureUrl, ldap_verify_cert: false }), 'the password that is kept stays where it is').toMatchObject({
      success: false,
    })
    expect(await ping({ ...secure, ldap_verify_cert: true })).toMatchObject({ success: false })
    expect(await ping({ ...secure, ldap_verify_cert: false })).toMatchObject({ success: true })
    await ask('PUT /configurations', '/configurations', 200, { ldap_start_tls: true })
    expect(await ping({})).toMatchObject({ success: false })
    await ask('PUT /configurations', '/configurations', 200, { ldap_verify_cert: false })
    expect(await ping({})).toMatchObject({ success: true })
    expect(await login('eve:eve-secret')).toBe(200)
  })
})

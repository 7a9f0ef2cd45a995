import { createRoute, z } from '@hono/zod-openapi'
import { LDAP_GROUP } from '../../schema/groups.ts'
import { sameServer } from '../config/same-server.ts'
import type { DirectorySettings } from '../identity/ldap/directory.ts'
import { empty, json, refusals } from './answers.ts'
import { type ApiParts, routes } from './environment.ts'
import { badField } from './errors.ts'
import { UserGroup } from './usergroup.ts'

const tags = ['Ldap']

const Conf = z
  .object({
    ldap_url: z.string().max(2_000),
    ldap_search_dn: z.string().max(1_024),
    ldap_search_password: z.string().max(1_024),
    ldap_base_dn: z.string().max(1_024),
    ldap_filter: z.string().max(4_000),
    ldap_uid: z.string().max(255),
    ldap_scope: z.number().int().min(0).max(2),
    ldap_connection_timeout: z.number().int().min(1).max(60),
    ldap_verify_cert: z.boolean(),
  })
  .partial()
  .openapi('LdapConf')

const Person = z.object({ username: z.string(), realname: z.string(), email: z.string() }).openapi('LdapUser')

export const ldap = ({ services: { live, people }, guard }: ApiParts) => {
  const ping = createRoute({
    method: 'post',
    path: '/ldap/ping',
    tags,
    operationId: 'pingLdap',
    summary: 'Whether the LDAP server can be asked: with the settings as they are, or with those given',
    middleware: guard.system('configuration', 'read'),
    request: { body: { content: { 'application/json': { schema: Conf } } } },
    responses: {
      200: json(z.object({ success: z.boolean(), message: z.string() }).openapi('LdapPingResult'), 'How it went.'),
      ...refusals(400, 401, 403),
    },
  })

  const searchUsers = createRoute({
    method: 'get',
    path: '/ldap/users/search',
    tags,
    operationId: 'searchLdapUser',
    summary: 'People of the directory, by a part of their name',
    middleware: guard.system('user', 'list'),
    request: { query: z.object({ username: z.string().max(255).default('') }) },
    responses: { 200: json(z.array(Person), 'Some of them.'), ...refusals(400, 401, 403) },
  })

  const importUsers = createRoute({
    method: 'post',
    path: '/ldap/users/import',
    tags,
    operationId: 'importLdapUser',
    summary: 'Makes accounts of people of the directory',
    middleware: guard.system('user', 'create'),
    request: {
      body: {
        required: true,
        content: {
          'application/json': { schema: z.object({ ldap_uid_list: z.array(z.string().min(1).max(255)).max(1_000) }).openapi('LdapImportUsers') },
        },
      },
    },
    responses: {
      200: empty('They have accounts.'),
      ...refusals(400, 401, 403),
      404: json(
        z.array(z.object({ uid: z.string(), error: z.string() }).openapi('LdapFailedImportUser')),
        'Those that are not there; the others have accounts.',
      ),
    },
  })

  const searchGroups = createRoute({
    method: 'get',
    path: '/ldap/groups/search',
    tags,
    operationId: 'searchLdapGroup',
    summary: 'Groups of the directory, by a part of their name or by their DN',
    middleware: guard.system('user-group', 'list'),
    request: { query: z.object({ groupname: z.string().max(255).optional(), groupdn: z.string().max(1_024).optional() }) },
    responses: { 200: json(z.array(UserGroup), 'Some of them.'), ...refusals(400, 401, 403) },
  })

  return routes()
    .openapi(ping, async (c) => {
      const { Directory, DirectoryError } = await directories()
      const { ldap_connection_timeout: timeout, ...given } = c.req.valid('json') ?? {}
      const kept = await live.all()
      const wishes = known({ ...given, ...(timeout !== undefined && { ldap_timeout: timeout }) } as Partial<DirectorySettings>)
      const elsewhere = wishes.ldap_url !== undefined && !sameServer(wishes.ldap_url, kept.ldap_url)
      // The password that is kept is for the directory that is kept.
      const settings = { ...kept, ...(elsewhere && { ldap_search_password: undefined }), ...wishes }
      try {
        await using directory = await Directory.open(settings)
        await directory.greet()
        if (settings.ldap_base_dn !== undefined) await directory.person('admin')
        return c.json({ success: true, message: '' }, 200)
      } catch (error) {
        if (error instanceof DirectoryError) return c.json({ success: false, message: error.message }, 200)
        throw error
      }
    })
    .openapi(searchUsers, async (c) => {
      const { Directory } = await directories()
      await using directory = await Directory.open(await live.all())
      const found = await directory.people(c.req.valid('query').username)
      return c.json(
        found.map(({ username, realname, email }) => ({ username, realname, email: email ?? '' })),
        200,
      )
    })
    .openapi(importUsers, async (c) => {
      if ((await live.get('auth_mode')) !== 'ldap_auth') throw badField('auth_mode', 'people come from LDAP only while it is ldap_auth')
      const missing = await people.import(c.req.valid('json').ldap_uid_list)
      if (missing.length === 0) return c.body(null, 200)
      return c.json(
        missing.map((uid) => ({ uid, error: 'the directory has nobody of this name, or more than one' })),
        404,
      )
    })
    .openapi(searchGroups, async (c) => {
      const { Directory } = await directories()
      const { groupname, groupdn } = c.req.valid('query')
      await using directory = await Directory.open(await live.all())
      const found = await directory.groups({ name: groupname, dn: groupdn })
      return c.json(
        found.map(({ dn, name }) => ({ id: 0, group_name: name, group_type: LDAP_GROUP, ldap_group_dn: dn })),
        200,
      )
    })
}

/** Loaded by the first who asks for it. */
const directories = () => import('../identity/ldap/directory.ts')

/** Those that say something: an empty text is no wish. */
function known(given: Partial<DirectorySettings>): Partial<DirectorySettings> {
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== '' && value !== undefined))
}

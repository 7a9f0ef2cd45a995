import { createRoute, z } from '@hono/zod-openapi'
import { createGroup, deleteGroup, findGroupById, LDAP_GROUP, listGroups, type UserGroup as Row, renameGroup } from '../../schema/groups.ts'
import { empty, json, refusals } from './answers.ts'
import { type ApiParts, created, id, routes } from './environment.ts'
import { badField, notFound } from './errors.ts'
import { describePage, pageQuery } from './paging.ts'

const tags = ['usergroup']
const params = z.object({ group_id: id })

export const UserGroup = z
  .object({ id: z.number().int(), group_name: z.string(), group_type: z.number().int(), ldap_group_dn: z.string() })
  .openapi('UserGroup')

const Found = UserGroup.omit({ ldap_group_dn: true }).openapi('UserGroupSearchItem')

const NewGroup = z
  .object({
    group_name: z.string().trim().max(255).default(''),
    group_type: z.number().int().min(1).max(3),
    ldap_group_dn: z.string().trim().max(1_024).default(''),
  })
  .openapi('NewUserGroup')

export const showGroup = ({ id, name, type, ldapDn }: Row): z.infer<typeof UserGroup> => ({
  id,
  group_name: name,
  group_type: type,
  ldap_group_dn: ldapDn,
})

export const userGroups = ({ services: { db, people }, guard }: ApiParts) => {
  const list = createRoute({
    method: 'get',
    path: '/usergroups',
    tags,
    operationId: 'listUserGroups',
    summary: 'The groups that can be members of projects',
    middleware: guard.system('user-group', 'list'),
    request: { query: z.object({ ...pageQuery, ldap_group_dn: z.string().max(1_024).optional(), group_name: z.string().max(255).optional() }) },
    responses: { 200: json(z.array(UserGroup), 'One page of them.'), ...refusals(400, 401, 403) },
  })

  const search = createRoute({
    method: 'get',
    path: '/usergroups/search',
    tags,
    operationId: 'searchUserGroups',
    summary: 'Groups by a part of their name, to make them members',
    middleware: guard.account,
    request: { query: z.object({ ...pageQuery, groupname: z.string().min(1).max(255) }) },
    responses: { 200: json(z.array(Found), 'One page of them.'), ...refusals(400, 401) },
  })

  const create = createRoute({
    method: 'post',
    path: '/usergroups',
    tags,
    operationId: 'createUserGroup',
    summary: 'Makes a group known before any of its people has logged in',
    middleware: guard.system('user-group', 'create'),
    request: { body: { required: true, content: { 'application/json': { schema: NewGroup } } } },
    responses: { 201: empty('Its address is in Location.'), ...refusals(400, 401, 403, 409) },
  })

  const get = createRoute({
    method: 'get',
    path: '/usergroups/{group_id}',
    tags,
    operationId: 'getUserGroup',
    summary: 'One group',
    middleware: guard.system('user-group', 'read'),
    request: { params },
    responses: { 200: json(UserGroup, 'The group.'), ...refusals(400, 401, 403, 404) },
  })

  const update = createRoute({
    method: 'put',
    path: '/usergroups/{group_id}',
    tags,
    operationId: 'updateUserGroup',
    summary: 'Renames a group',
    middleware: guard.system('user-group', 'update'),
    request: {
      params,
      body: {
        required: true,
        content: { 'application/json': { schema: z.object({ group_name: z.string().trim().min(1).max(255) }).openapi('GroupName') } },
      },
    },
    responses: { 200: empty('Renamed.'), ...refusals(400, 401, 403, 404) },
  })

  const remove = createRoute({
    method: 'delete',
    path: '/usergroups/{group_id}',
    tags,
    operationId: 'deleteUserGroup',
    summary: 'Forgets a group; its people lose the roles that they had by it',
    middleware: guard.system('user-group', 'delete'),
    request: { params },
    responses: { 200: empty('Forgotten.'), ...refusals(400, 401, 403, 404) },
  })

  return routes()
    .openapi(search, async (c) => {
      const query = c.req.valid('query')
      const { items, total } = await listGroups(db, { name: query.groupname }, { page: query.page, pageSize: query.page_size })
      describePage(c, query, total)
      return c.json(
        items.map(({ id, name, type }) => ({ id, group_name: name, group_type: type })),
        200,
      )
    })
    .openapi(list, async (c) => {
      const query = c.req.valid('query')
      const filter = { name: query.group_name, ldapDn: query.ldap_group_dn }
      const { items, total } = await listGroups(db, filter, { page: query.page, pageSize: query.page_size })
      describePage(c, query, total)
      return c.json(items.map(showGroup), 200)
    })
    .openapi(create, async (c) => {
      const { group_name, group_type, ldap_group_dn } = c.req.valid('json')
      const ldap = group_type === LDAP_GROUP
      if (ldap && ldap_group_dn === '') throw badField('ldap_group_dn', 'an LDAP group (group_type 1) is known by its DN')
      if (!ldap && group_name === '') throw badField('group_name', 'is missing')
      if (ldap && (await people.group(ldap_group_dn)) === undefined) throw badField('ldap_group_dn', `the directory has no group ${ldap_group_dn}`)
      const name = group_name === '' ? ldap_group_dn : group_name
      const group = await createGroup(db, { name, type: group_type, ...(ldap && { ldapDn: ldap_group_dn }) }, c.var.principal.id)
      return created(c, `/usergroups/${group.id}`)
    })
    .openapi(get, async (c) => {
      const { group_id } = c.req.valid('param')
      const group = await findGroupById(db, group_id)
      if (group === undefined) throw notFound(`user group ${group_id}`)
      return c.json(showGroup(group), 200)
    })
    .openapi(update, async (c) => {
      await renameGroup(db, c.req.valid('param').group_id, c.req.valid('json').group_name, c.var.principal.id)
      return c.body(null, 200)
    })
    .openapi(remove, async (c) => {
      const { group_id } = c.req.valid('param')
      if (!(await deleteGroup(db, group_id, c.var.principal.id))) throw notFound(`user group ${group_id}`)
      return c.body(null, 200)
    })
}

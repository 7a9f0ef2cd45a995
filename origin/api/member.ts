import { createRoute, z } from '@hono/zod-openapi'
import { mayManageRoles } from '../../policy/delegation.ts'
import type { Principal, ProjectFacts, RoleId } from '../../policy/facts.ts'
import { isRoleId } from '../../policy/roles.ts'
import { ensureGroup, findGroupById, findGroupByName, LDAP_GROUP } from '../../schema/groups.ts'
import { addMember, findMember, listMembers, type ProjectMember as Row, removeMember, setMemberRole } from '../../schema/members.ts'
import { findUserById, findUserByUsername } from '../../schema/users.ts'
import { empty, json, refusals } from './answers.ts'
import { type ApiParts, created, id, routes } from './environment.ts'
import { ApiError, badField, notFound } from './errors.ts'
import { describePage, pageQuery } from './paging.ts'

const tags = ['member']
const params = z.object({ project_name_or_id: z.string().max(255) })
const one = params.extend({ mid: id })

const ROLE_NAMES: Readonly<Record<RoleId, string>> = { 1: 'projectAdmin', 2: 'developer', 3: 'guest', 4: 'maintainer', 5: 'limitedGuest' }

const role = z.number().refine(isRoleId, 'is 1 (project admin), 2 (developer), 3 (guest), 4 (maintainer) or 5 (limited guest)')

const Member = z
  .object({
    id: z.number().int(),
    project_id: z.number().int(),
    entity_name: z.string(),
    role_name: z.string(),
    role_id: z.number().int(),
    entity_id: z.number().int(),
    entity_type: z.enum(['u', 'g']),
  })
  .openapi('ProjectMemberEntity')

const NewMember = z
  .object({
    role_id: role,
    member_user: z.object({ user_id: z.number().int().optional(), username: z.string().max(255).optional() }).nullish(),
    member_group: z
      .object({
        id: z.number().int().optional(),
        group_name: z.string().max(255).optional(),
        group_type: z.number().int().min(1).max(3).optional(),
        ldap_group_dn: z.string().max(1024).optional(),
      })
      .nullish(),
  })
  .openapi('ProjectMember')

type NewMember = z.infer<typeof NewMember>

const show = (row: Row): z.infer<typeof Member> => ({
  id: row.id,
  project_id: row.projectId,
  entity_name: row.name,
  role_name: ROLE_NAMES[row.role],
  role_id: row.role,
  entity_id: row.subjectId,
  entity_type: row.kind === 'user' ? 'u' : 'g',
})

/** Go writes what is not there as an object with nothing in it. */
const orNone = <T extends object>(given: T | null | undefined): T | undefined =>
  given && Object.values(given).some((value) => value !== undefined && value !== '' && value !== 0) ? given : undefined

/** @throws ApiError FORBIDDEN for whoever is himself below one of these roles */
function requireRank(principal: Principal, project: ProjectFacts, ...roles: RoleId[]): void {
  if (mayManageRoles(principal, project, roles)) return
  throw new ApiError('FORBIDDEN', 'You manage members up to your own role: nobody above it, and nobody into it.')
}

export const members = ({ services: { db, live, people }, guard }: ApiParts) => {
  const list = createRoute({
    method: 'get',
    path: '/projects/{project_name_or_id}/members',
    tags,
    operationId: 'listProjectMembers',
    summary: 'The members of a project',
    middleware: guard.project('member', 'list'),
    request: { params, query: z.object({ ...pageQuery, entityname: z.string().max(255).optional() }) },
    responses: { 200: json(z.array(Member), 'One page of them.'), ...refusals(400, 401, 403, 404) },
  })

  const add = createRoute({
    method: 'post',
    path: '/projects/{project_name_or_id}/members',
    tags,
    operationId: 'createProjectMember',
    summary: 'Gives a user or a group a role in a project',
    middleware: guard.project('member', 'create'),
    request: { params, body: { required: true, content: { 'application/json': { schema: NewMember } } } },
    responses: { 201: empty('Its address is in Location.'), ...refusals(400, 401, 403, 404, 409) },
  })

  const get = createRoute({
    method: 'get',
    path: '/projects/{project_name_or_id}/members/{mid}',
    tags,
    operationId: 'getProjectMember',
    summary: 'One member',
    middleware: guard.project('member', 'read'),
    request: { params: one },
    responses: { 200: json(Member, 'The member.'), ...refusals(400, 401, 403, 404) },
  })

  const update = createRoute({
    method: 'put',
    path: '/projects/{project_name_or_id}/members/{mid}',
    tags,
    operationId: 'updateProjectMember',
    summary: 'Changes the role of a member',
    middleware: guard.project('member', 'update'),
    request: {
      params: one,
      body: { required: true, content: { 'application/json': { schema: z.object({ role_id: role }).openapi('RoleRequest') } } },
    },
    responses: { 200: empty('Changed.'), ...refusals(400, 401, 403, 404) },
  })

  const remove = createRoute({
    method: 'delete',
    path: '/projects/{project_name_or_id}/members/{mid}',
    tags,
    operationId: 'deleteProjectMember',
    summary: 'Takes a member out of a project',
    middleware: guard.project('member', 'delete'),
    request: { params: one },
    responses: { 200: empty('Taken out.'), ...refusals(400, 401, 403, 404) },
  })

  const found = async (project: ProjectFacts, mid: number): Promise<Row> => {
    const row = await findMember(db, project.id, mid)
    if (row === undefined) throw notFound(`member ${mid}`)
    return row
  }

  /** Whoever the directory knows has an account here from now on. */
  const userNamed = async (name: string) => {
    const known = await findUserByUsername(db, name)
    if (known !== undefined || (await live.get('auth_mode')) !== 'ldap_auth') return known
    await people.import([name])
    return await findUserByUsername(db, name)
  }

  const userOf = async ({ user_id, username }: NonNullable<NewMember['member_user']>) => {
    const byId = user_id !== undefined && user_id > 0
    if (!byId && (username === undefined || username === '')) throw badField('member_user', 'needs a user_id or a username')
    const user = byId ? await findUserById(db, user_id) : await userNamed(username ?? '')
    if (user === undefined) throw badField('member_user', `there is no user ${byId ? user_id : username}`)
    return { kind: 'user' as const, subjectId: user.id }
  }

  const groupOf = async ({ id: groupId, group_name, group_type, ldap_group_dn }: NonNullable<NewMember['member_group']>) => {
    if (groupId !== undefined && groupId > 0) {
      if ((await findGroupById(db, groupId)) === undefined) throw badField('member_group.id', `there is no group ${groupId}`)
      return { kind: 'group' as const, subjectId: groupId }
    }
    const name = group_name ?? ldap_group_dn
    if (name === undefined || name === '') throw badField('member_group', 'needs an id, a group_name or an ldap_group_dn')
    const type = group_type ?? (ldap_group_dn === undefined ? undefined : 1)
    if (type === undefined) throw badField('member_group.group_type', 'is 1 (LDAP), 2 (HTTP) or 3 (OIDC)')
    const group = type === LDAP_GROUP ? await ldapGroup(name, ldap_group_dn) : await ensureGroup(db, { name, type })
    return { kind: 'group' as const, subjectId: group.id }
  }

  const ldapGroup = async (name: string, dn: string | undefined) => {
    if (dn === undefined || dn === '') {
      const known = await findGroupByName(db, name, LDAP_GROUP)
      if (known === undefined) throw badField('member_group.ldap_group_dn', `is needed: no group ${name} of LDAP is known yet`)
      return known
    }
    const found = await people.group(dn, name)
    if (found === undefined) throw badField('member_group.ldap_group_dn', `the directory has no group ${dn}`)
    return await ensureGroup(db, { name: found.name, type: LDAP_GROUP, ldapDn: found.dn })
  }

  return routes()
    .openapi(list, async (c) => {
      const query = c.req.valid('query')
      const { items, total } = await listMembers(db, c.var.project.id, { name: query.entityname }, { page: query.page, pageSize: query.page_size })
      describePage(c, query, total)
      return c.json(items.map(show), 200)
    })
    .openapi(add, async (c) => {
      const { principal, project } = c.var
      const { role_id, member_user, member_group } = c.req.valid('json')
      requireRank(principal, project, role_id)
      const user = orNone(member_user)
      const group = orNone(member_group)
      if ((user === undefined) === (group === undefined)) throw badField('member_user', 'give either member_user or member_group')
      const subject = user !== undefined ? await userOf(user) : await groupOf(group ?? {})
      const mid = await addMember(db, { projectId: project.id, role: role_id, ...subject }, principal.id)
      return created(c, `/projects/${project.id}/members/${mid}`)
    })
    .openapi(get, async (c) => c.json(show(await found(c.var.project, c.req.valid('param').mid)), 200))
    .openapi(update, async (c) => {
      const { principal, project } = c.var
      const { role_id } = c.req.valid('json')
      const row = await found(project, c.req.valid('param').mid)
      requireRank(principal, project, row.role, role_id)
      await setMemberRole(db, project.id, row.id, role_id, principal.id)
      return c.body(null, 200)
    })
    .openapi(remove, async (c) => {
      const { principal, project } = c.var
      const row = await found(project, c.req.valid('param').mid)
      requireRank(principal, project, row.role)
      await removeMember(db, project.id, row.id, principal.id)
      return c.body(null, 200)
    })
}

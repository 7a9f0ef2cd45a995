import { createRoute, z } from '@hono/zod-openapi'
import type { Principal } from '../../policy/facts.ts'
import type { OidcLink as Link } from '../../schema/oidc-links.ts'
import {
  createUser,
  deleteUser,
  findUserById,
  findUserByUsername,
  isAdministrator,
  listUsers,
  type User as Row,
  setPasswordHash,
  setSysadmin,
  updateUser,
} from '../../schema/users.ts'
import { isUserName, USER_NAME_RULE } from '../identity/user-names.ts'
import { empty, json, refusals } from './answers.ts'
import { type ApiParts, created, id, instant, routes } from './environment.ts'
import { ApiError, badField, notFound, unauthorized } from './errors.ts'
import { describePage, pageQuery } from './paging.ts'
import { Password } from './password-rules.ts'
import { userNumber } from './principals.ts'
import { SEARCHES } from './searches.ts'

const tags = ['user']
const params = z.object({ user_id: id })

const Username = z.string().min(1, 'is missing').max(255, 'has 255 characters at most').refine(isUserName, USER_NAME_RULE)
/** Harbor's rules for a profile, which its clients rely on: a change of it is all of it. */
const profile = {
  email: z.email('is no e-mail address').max(255),
  realname: z
    .string('is missing')
    .min(1, 'is missing')
    .max(255, 'has 255 characters at most')
    .refine((name) => !/[,~#$%]/.test(name), 'has none of , ~ # $ %'),
  comment: z
    .string()
    .max(30, 'has 30 characters at most')
    .nullish()
    .transform((comment) => comment ?? ''),
}

const NewUser = z.object({ username: Username, password: Password, ...profile }).openapi('UserCreationReq')
const Profile = z.object(profile).openapi('UserProfile')
const SysAdminFlag = z.object({ sysadmin_flag: z.boolean().default(false) }).openapi('UserSysAdminFlag')
const PasswordChange = z.object({ old_password: z.string().max(1024).nullish(), new_password: Password }).openapi('PasswordReq')

const OidcLink = z
  .object({
    id: z.number().int(),
    user_id: z.number().int(),
    subiss: z.string(),
    secret: z.string(),
    creation_time: z.string(),
    update_time: z.string(),
  })
  .openapi('OIDCUserInfo')

const User = z
  .object({
    user_id: z.number().int(),
    username: z.string(),
    email: z.string().optional(),
    realname: z.string(),
    comment: z.string(),
    sysadmin_flag: z.boolean(),
    admin_role_in_auth: z.boolean(),
    /** Shown to the user himself only. */
    oidc_user_meta: OidcLink.optional(),
    creation_time: z.string(),
    update_time: z.string(),
  })
  .openapi('UserResp')
const Found = z.object({ user_id: z.number().int(), username: z.string() }).openapi('UserSearchRespItem')

const showLink = (link: Link, secret: string): z.infer<typeof OidcLink> => ({
  id: link.userId,
  user_id: link.userId,
  subiss: link.subject + link.issuer,
  secret,
  creation_time: instant(link.createdAt),
  update_time: instant(link.updatedAt),
})

const show = (row: Row): z.infer<typeof User> => ({
  user_id: row.id,
  username: row.username,
  ...(row.email !== null && { email: row.email }),
  realname: row.realname,
  comment: row.comment,
  sysadmin_flag: row.admin,
  admin_role_in_auth: row.adminByGroup,
  creation_time: instant(row.createdAt),
  update_time: instant(row.updatedAt),
})

export const users = ({ services, guard }: ApiParts) => {
  const { db, passwords } = services

  const list = createRoute({
    method: 'get',
    path: '/users',
    tags,
    operationId: 'listUsers',
    summary: 'Everybody who has an account',
    middleware: guard.system('user', 'list'),
    request: { query: z.object(SEARCHES.users.query) },
    responses: { 200: json(z.array(User), 'One page of them.'), ...refusals(400, 401, 403) },
  })

  const create = createRoute({
    method: 'post',
    path: '/users',
    tags,
    operationId: 'createUser',
    summary: 'Creates an account; people may do so for themselves where self-registration is on',
    middleware: async (c, next) => {
      if (!(await services.live.get('self_registration'))) guard.requireSystem(c.var.principal, { resource: 'user', action: 'create' })
      await next()
    },
    request: { body: { required: true, content: { 'application/json': { schema: NewUser } } } },
    responses: { 201: empty('Its address is in Location.'), ...refusals(400, 401, 403, 409) },
  })

  const current = createRoute({
    method: 'get',
    path: '/users/current',
    tags,
    operationId: 'getCurrentUserInfo',
    summary: 'Who you are',
    middleware: guard.account,
    responses: { 200: json(User, 'You.'), ...refusals(401, 412) },
  })

  const search = createRoute({
    method: 'get',
    path: '/users/search',
    tags,
    operationId: 'searchUsers',
    summary: 'Users whose name holds a text',
    middleware: guard.account,
    request: { query: z.object({ ...pageQuery, username: z.string().min(1).max(255) }) },
    responses: { 200: json(z.array(Found), 'One page of them.'), ...refusals(400, 401) },
  })

  const get = createRoute({
    method: 'get',
    path: '/users/{user_id}',
    tags,
    operationId: 'getUser',
    summary: 'One user: yourself, or anybody for administrators',
    middleware: guard.account,
    request: { params },
    responses: { 200: json(User, 'The user.'), ...refusals(401, 403, 404) },
  })

  const update = createRoute({
    method: 'put',
    path: '/users/{user_id}',
    tags,
    operationId: 'updateUserProfile',
    summary: 'Puts a profile in the place of the one before',
    middleware: guard.account,
    request: { params, body: { required: true, content: { 'application/json': { schema: Profile } } } },
    responses: { 200: empty('Changed.'), ...refusals(400, 401, 403, 404, 409) },
  })

  const remove = createRoute({
    method: 'delete',
    path: '/users/{user_id}',
    tags,
    operationId: 'deleteUser',
    summary: 'Takes an account away, for good',
    middleware: guard.system('user', 'delete'),
    request: { params },
    responses: { 200: empty('Taken away.'), ...refusals(401, 403, 404) },
  })

  const sysadmin = createRoute({
    method: 'put',
    path: '/users/{user_id}/sysadmin',
    tags,
    operationId: 'setUserSysAdmin',
    summary: 'Makes a user a system administrator, or no longer',
    middleware: guard.system('user', 'update'),
    request: { params, body: { required: true, content: { 'application/json': { schema: SysAdminFlag } } } },
    responses: { 200: empty('Changed.'), ...refusals(401, 403, 404) },
  })

  const password = createRoute({
    method: 'put',
    path: '/users/{user_id}/password',
    tags,
    operationId: 'updateUserPassword',
    summary: 'Sets a new password; your own with the old one, anybody else’s as an administrator',
    middleware: guard.account,
    request: { params, body: { required: true, content: { 'application/json': { schema: PasswordChange } } } },
    responses: { 200: empty('Set.'), ...refusals(400, 401, 403, 404) },
  })

  const cliSecret = createRoute({
    method: 'put',
    path: '/users/{user_id}/cli_secret',
    tags,
    operationId: 'setCliSecret',
    summary: 'Sets what a user of an OpenID provider logs in with from the command line; without one, a new one is made',
    middleware: guard.account,
    request: {
      params,
      body: {
        required: true,
        content: { 'application/json': { schema: z.object({ secret: Password.or(z.literal('')).nullish() }).openapi('OIDCCliSecretReq') } },
      },
    },
    responses: { 200: empty('Set.'), ...refusals(400, 401, 403, 404, 412) },
  })

  /** Oneself, or somebody that one may do this to. What is refused says nothing of whether there is such a user. */
  const reach = async (principal: Principal, userId: number, action: string): Promise<Row> => {
    if (userNumber(principal) !== userId) guard.requireSystem(principal, { resource: 'user', action })
    const row = await findUserById(db, userId)
    if (row === undefined) throw notFound(`user ${userId}`)
    // A robot that may manage people does not thereby come to be an administrator.
    if (action !== 'read' && isAdministrator(row) && !principal.admin)
      throw new ApiError('FORBIDDEN', 'Only an administrator changes an administrator.')
    return row
  }

  return routes()
    .openapi(list, async (c) => {
      const query = c.req.valid('query')
      const { items, total } = await listUsers(db, {}, SEARCHES.users.listing(query))
      describePage(c, query, total, SEARCHES.users)
      return c.json(items.map(show), 200)
    })
    .openapi(create, async (c) => {
      const { principal } = c.var
      const { username, password, email, realname, comment } = c.req.valid('json')
      if ((await findUserByUsername(db, username)) !== undefined) throw new ApiError('CONFLICT', `The username ${username} is taken.`)
      const user = await createUser(db, { username, email, realname, comment, passwordHash: await passwords.hash(password) }, principal.id)
      return created(c, `/users/${user.id}`)
    })
    .openapi(current, async (c) => {
      const userId = userNumber(c.var.principal)
      if (userId === undefined) throw new ApiError('PRECONDITION', `${c.var.principal.name} is no user.`)
      const row = await findUserById(db, userId)
      if (row === undefined) throw unauthorized()
      const meta = await services.oidc.cliSecret(userId)
      return c.json({ ...show(row), ...(meta && { oidc_user_meta: showLink(meta.link, meta.secret) }) }, 200)
    })
    .openapi(cliSecret, async (c) => {
      const row = await reach(c.var.principal, c.req.valid('param').user_id, 'update')
      const { secret } = c.req.valid('json')
      const set = await services.oidc.setCliSecret(row.id, secret || undefined, c.var.principal.id)
      if (!set) throw new ApiError('PRECONDITION', `${row.username} is of no OpenID provider, and logs in with his password.`)
      return c.body(null, 200)
    })
    .openapi(search, async (c) => {
      const query = c.req.valid('query')
      const { items, total } = await listUsers(db, { username: query.username }, SEARCHES.users.listing({ ...query, sort: 'username' }))
      describePage(c, query, total, SEARCHES.users)
      return c.json(
        items.map((row) => ({ user_id: row.id, username: row.username })),
        200,
      )
    })
    .openapi(get, async (c) => c.json(show(await reach(c.var.principal, c.req.valid('param').user_id, 'read')), 200))
    .openapi(update, async (c) => {
      const row = await reach(c.var.principal, c.req.valid('param').user_id, 'update')
      await updateUser(db, row.id, c.req.valid('json'), c.var.principal.id)
      return c.body(null, 200)
    })
    .openapi(remove, async (c) => {
      const { principal } = c.var
      const userId = c.req.valid('param').user_id
      if (userNumber(principal) === userId) throw new ApiError('FORBIDDEN', 'Nobody deletes himself: there is always an administrator left.')
      const row = await reach(principal, userId, 'delete')
      await deleteUser(db, row.id, principal.id)
      return c.body(null, 200)
    })
    .openapi(sysadmin, async (c) => {
      const { principal } = c.var
      const { sysadmin_flag } = c.req.valid('json')
      const userId = c.req.valid('param').user_id
      if (!principal.admin) throw new ApiError('FORBIDDEN', 'Only an administrator makes administrators.')
      if (userNumber(principal) === userId && !sysadmin_flag) {
        throw new ApiError('FORBIDDEN', 'Nobody takes this from himself: there is always an administrator left.')
      }
      const row = await reach(principal, userId, 'update')
      await setSysadmin(db, row.id, sysadmin_flag, principal.id)
      return c.body(null, 200)
    })
    .openapi(password, async (c) => {
      const { principal } = c.var
      const { old_password, new_password } = c.req.valid('json')
      const row = await reach(principal, c.req.valid('param').user_id, 'update')
      if (userNumber(principal) === row.id) {
        const known = await passwords.verify(old_password ?? '', row.passwordHash ?? undefined)
        if (!known) throw new ApiError('FORBIDDEN', 'old_password: this is not your password.')
      }
      if (row.passwordHash === null && (await services.live.get('auth_mode')) !== 'db_auth') {
        throw new ApiError('FORBIDDEN', `${row.username} logs in elsewhere: the password is not kept here, and is changed there.`)
      }
      if (row.passwordHash !== null && (await passwords.verify(new_password, row.passwordHash))) {
        throw badField('new_password', 'is the password that there is')
      }
      await setPasswordHash(db, row.id, await passwords.hash(new_password), principal.id)
      return c.body(null, 200)
    })
}

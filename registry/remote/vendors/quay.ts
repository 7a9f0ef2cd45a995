import { RegistryError } from '../../spec/errors.ts'
import { type RepositoryName, splitProject } from '../../spec/names.ts'
import type { Authorizer, Credentials } from '../authorizer.ts'
import type { Client } from '../client.ts'
import { generic } from './generic.ts'
import type { Vendor } from './vendor.ts'

/** The user that Harbor's forms give for Quay: the secret is then a JSON document with the account, its password and perhaps a token. */
const DOCUMENT_USER = 'json_file'

interface QuayAccount {
  readonly credentials: Credentials | undefined
  /** Of an OAuth application, for Quay's own API. */
  readonly token: string | undefined
}

/**
 * Quay, at quay.io and at home. Robots and people log in by name and password. With a token of an OAuth application, the organization and the
 * repository of a push are made, both private; without one, Quay makes the repository itself where the account may.
 */
export const quay: Vendor = {
  ...generic,
  type: 'quay',
  base: (typed) => (typed.host === 'www.quay.io' || typed.host === 'cdn.quay.io' ? new URL('https://quay.io') : typed),
  open: (context) => {
    const { credentials, token } = accountOf(context.credentials)
    const authorizer = context.challenge({ credentials })
    if (token === undefined) return { authorizer }
    const manager: Authorizer = { headers: async () => ({ Authorization: `Bearer ${token}` }) }
    return { authorizer, prepare: (name, signal) => prepareRepository(context.client(manager, signal), name) }
  },
}

function accountOf(given: Credentials | undefined): QuayAccount {
  if (given?.username !== DOCUMENT_USER) return { credentials: given, token: undefined }
  let document: { account_name?: unknown; docker_cli_password?: unknown; oauth2_token?: unknown }
  try {
    document = Object(JSON.parse(given.password))
  } catch {
    throw new RegistryError('DENIED', 'The secret for json_file is {"account_name": …, "docker_cli_password": …, "oauth2_token": …} in JSON.')
  }
  const { account_name: username, docker_cli_password: password, oauth2_token: token } = document
  return {
    credentials: typeof username === 'string' && typeof password === 'string' && username !== '' ? { username, password } : undefined,
    token: typeof token === 'string' && /^[\x21-\x7e]+$/.test(token) ? token : undefined,
  }
}

async function prepareRepository(api: Client, name: RepositoryName): Promise<void> {
  const { project: namespace, rest } = splitProject(name)
  if (rest === '') throw new RegistryError('NAME_INVALID', `A repository at ${api.base.host} has a namespace: ${name} has none.`)
  if (!(await isThere(api, `/api/v1/repository/${name}`, `looking for the repository ${name}`))) {
    // A namespace may be a person's, which is no organization and is always there.
    const known =
      (await isThere(api, `/api/v1/organization/${namespace}`, `looking for the organization ${namespace}`)) ||
      (await isThere(api, `/api/v1/users/${namespace}`, `looking for the user ${namespace}`))
    if (!known)
      await make(
        api,
        '/api/v1/organization/',
        { name: namespace, email: `${namespace}@${api.base.hostname}` },
        `making the organization ${namespace}`,
      )
    const repository = { namespace, repository: rest, visibility: 'private', description: '', repo_kind: 'image' }
    await make(api, '/api/v1/repository', repository, `making the repository ${name}`)
  }
}

async function isThere(api: Client, url: string, what: string): Promise<boolean> {
  const reply = await api.send({ method: 'GET', url, scopes: [], headers: { Accept: 'application/json' }, repeatable: true })
  if (reply.status !== 200 && reply.status !== 404) throw await api.errorOf(reply, what)
  await reply.discard()
  return reply.status === 200
}

/** 400 with its own words means that somebody made it meanwhile, or that it may not be: the push itself tells. */
async function make(api: Client, url: string, document: object, what: string): Promise<void> {
  const body = new TextEncoder().encode(JSON.stringify(document))
  const reply = await api.send({ method: 'POST', url, scopes: [], headers: { 'Content-Type': 'application/json' }, body, repeatable: false })
  if (reply.status !== 201 && reply.status !== 200 && reply.status !== 400) throw await api.errorOf(reply, what)
  await reply.discard()
}

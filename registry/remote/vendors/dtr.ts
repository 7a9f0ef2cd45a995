import { RegistryError } from '../../spec/errors.ts'
import { type RepositoryName, splitProject } from '../../spec/names.ts'
import { basicAuthorizer } from '../authorizer.ts'
import type { Client } from '../client.ts'
import { generic } from './generic.ts'
import type { Vendor } from './vendor.ts'

/** Docker Trusted Registry, today Mirantis Secure Registry: a repository must be made before a push, in an account that is there. */
export const dtr: Vendor = {
  ...generic,
  type: 'dtr',
  open: (context) => {
    if (context.credentials === undefined) return {}
    const manager = basicAuthorizer(context.credentials)
    return { prepare: (name, signal) => prepareRepository(context.client(manager, signal), name) }
  },
}

async function prepareRepository(api: Client, name: RepositoryName): Promise<void> {
  const { project: account, rest } = splitProject(name)
  if (rest === '' || rest.includes('/')) {
    throw new RegistryError(
      'NAME_INVALID',
      `A repository at ${api.base.host} is ACCOUNT/NAME: ${name} is not. A rule can flatten names on their way.`,
    )
  }
  const asked = await api.send({ method: 'GET', url: `/api/v0/repositories/${name}`, scopes: [], repeatable: true })
  if (asked.status !== 200 && asked.status !== 404) throw await api.errorOf(asked, `looking for the repository ${name}`)
  await asked.discard()
  if (asked.status === 200) return
  const body = new TextEncoder().encode(JSON.stringify({ name: rest, visibility: 'private', scanOnPush: false, immutableTags: false }))
  const headers = { 'Content-Type': 'application/json' }
  const made = await api.send({ method: 'POST', url: `/api/v0/repositories/${account}`, scopes: [], headers, body, repeatable: false })
  // 409: somebody else made it meanwhile.
  if (made.status !== 201 && made.status !== 409) throw await api.errorOf(made, `making the repository ${name}`)
  await made.discard()
}

import { type RepositoryName, splitProject } from '../../spec/names.ts'
import { basicAuthorizer } from '../authorizer.ts'
import type { Client } from '../client.ts'
import { generic } from './generic.ts'
import type { Vendor } from './vendor.ts'

/**
 * Harbor, and what has its API: a repository's project must be there before a push. An account that may neither see nor make projects may
 * still push to one (a robot of that project): then the push itself tells.
 */
export const harbor: Vendor = {
  ...generic,
  type: 'harbor',
  open: (context) => {
    // Harbor's own API takes a name and a password, and no tokens that are for images.
    const manager = context.credentials ? basicAuthorizer(context.credentials) : context.challenge()
    return { prepare: (name, signal) => prepareProject(context.client(manager, signal), name) }
  },
}

async function prepareProject(api: Client, name: RepositoryName): Promise<void> {
  const { project } = splitProject(name)
  const asked = await api.send({
    method: 'HEAD',
    url: `/api/v2.0/projects?project_name=${encodeURIComponent(project)}`,
    scopes: [],
    repeatable: true,
  })
  await asked.discard()
  if (asked.status === 200 || asked.status === 403) return
  if (asked.status !== 404) throw await api.errorOf(asked, `looking for its project ${project}`)
  const made = await api.send({
    method: 'POST',
    url: '/api/v2.0/projects',
    scopes: [],
    headers: { 'Content-Type': 'application/json' },
    body: new TextEncoder().encode(JSON.stringify({ project_name: project, public: false, metadata: { public: 'false' } })),
    repeatable: false,
  })
  // 409: somebody else made it meanwhile.
  if (made.status !== 201 && made.status !== 409 && made.status !== 403) throw await api.errorOf(made, `making the project ${project}`)
  await made.discard()
}

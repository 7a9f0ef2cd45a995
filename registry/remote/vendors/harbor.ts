import { isRepositoryName, type RepositoryName, splitProject, type Tag } from '../../spec/names.ts'
import { type Authorizer, basicAuthorizer } from '../authorizer.ts'
import { readArray } from '../bodies.ts'
import type { Client } from '../client.ts'
import { CursorList } from '../cursor-list.ts'
import { generic } from './generic.ts'
import type { Vendor, VendorContext, VendorSession } from './vendor.ts'

/** Harbor's largest page. */
const PAGE_LIMIT = 100

/**
 * Harbor: a repository's project must be there before a push, the catalog is for administrators, and a tag is taken away by its API. An account that
 * may neither see nor make projects may still push to one (a robot of that project): then the push itself tells.
 */
export const harbor: Vendor = {
  ...generic,
  type: 'harbor',
  // An Atoll may be entered as one. Harbor itself takes no notice of the header that asks.
  versions: true,
  open: (context) => {
    const manager = managerOf(context)
    return {
      ...harborProjects(context),
      deleteTag: (name, tag, signal) => deleteTag(context.client(manager, signal), name, tag),
    }
  },
}

/** What every registry with Harbor's API has: projects, and lists of what an account may see. */
export function harborProjects(context: VendorContext): VendorSession {
  const manager = managerOf(context)
  const list = new CursorList<RepositoryName>(
    (page, limit, signal) => repositories(context.client(manager, signal), Number(page ?? 1), Math.min(limit, PAGE_LIMIT)),
    context.transport.limits,
  )
  return {
    prepare: (name, signal) => prepareProject(context.client(manager, signal), name),
    // Whoever does not log in sees what is public, and that is in the catalog, if anywhere.
    ...(context.credentials && { repositories: (page, signal) => list.page(page, signal) }),
  }
}

/** Harbor's own API takes a name and a password, and no tokens that are for images. */
function managerOf(context: VendorContext): Authorizer {
  return context.credentials ? basicAuthorizer(context.credentials) : context.challenge()
}

async function repositories(api: Client, page: number, size: number) {
  const query = new URLSearchParams({ page: String(page), page_size: String(size), sort: 'name' })
  const reply = await api.send({
    method: 'GET',
    url: `/api/v2.0/repositories?${query}`,
    scopes: [],
    headers: { Accept: 'application/json' },
    repeatable: true,
  })
  if (reply.status !== 200) throw await api.errorOf(reply, 'a list of its repositories')
  const entries = await readArray(reply, api.transport, api.transport.limits.listBytes)
  const names = entries.map((entry) => (entry as { name?: unknown } | null)?.name)
  const items = names.filter((name): name is RepositoryName => typeof name === 'string' && isRepositoryName(name))
  return { items, ...(entries.length === size && { next: String(page + 1) }) }
}

async function deleteTag(api: Client, name: RepositoryName, tag: Tag): Promise<boolean> {
  const { project, rest } = splitProject(name)
  // A slash is escaped twice, for the proxies on the way.
  const url = `/api/v2.0/projects/${project}/repositories/${encodeURIComponent(encodeURIComponent(rest))}/artifacts/${tag}/tags/${tag}`
  const reply = await api.send({ method: 'DELETE', url, scopes: [], repeatable: true })
  if (reply.status !== 200 && reply.status !== 404) throw await api.errorOf(reply, `deleting the tag ${name}:${tag}`)
  await reply.discard()
  return reply.status === 200
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

import type { ProjectDocument, UpstreamFacts } from '../mesh/documents.ts'
import type { Clock } from '../registry/clock.ts'
import type { Log } from '../registry/log.ts'
import type { Source } from '../registry/pull-through/source.ts'
import type { Repository } from '../registry/registry.ts'
import { type Fetch, RemoteRegistry, vendorOf } from '../registry/remote/index.ts'
import { RegistryError } from '../registry/spec/errors.ts'
import { parseRepositoryName, type RepositoryName, splitProject } from '../registry/spec/names.ts'
import { deferred } from './deferred.ts'
import { SOURCE_LIMITS } from './limits.ts'
import type { Mesh } from './mesh.ts'
import type { UpstreamMemory } from './upstream-memory.ts'
import { PasswordsOnly, UpstreamTokens } from './upstream-tokens.ts'

export interface UpstreamsOptions {
  readonly mesh: Mesh
  /** One whose certificate need not be right is asked with another fetch. */
  readonly fetchFor: (options: { readonly verifyTls: boolean }) => Fetch
  /** For upstreams that know passwords only. */
  readonly origin: RemoteRegistry
  readonly memory: UpstreamMemory
  readonly clock: Clock
  readonly log: Log
}

const ANONYMOUS = 'anonymous'

/** The upstream of a proxy-cache project as a source, asked from here: anonymously, or with short tokens that the origin gets. */
export async function openUpstream(document: ProjectDocument, upstream: UpstreamFacts, options: UpstreamsOptions): Promise<Source> {
  const { mesh, fetchFor, origin, memory, clock, log } = options
  const { facts } = document
  const vendor = vendorOf(upstream.kind)
  const url = new URL(upstream.url)
  const { host } = vendor.base(url)
  const id = upstreamSourceId(document, upstream)
  const anonymous = upstream.credentials === 'anonymous'
  const budget = await memory.budget(host, anonymous ? ANONYMOUS : (upstream.login ?? id))
  const tokens = anonymous ? undefined : new UpstreamTokens(mesh.origin, facts.name)
  const remote = new RemoteRegistry({
    url,
    vendor,
    fetch: fetchFor(upstream),
    clock,
    log,
    limits: SOURCE_LIMITS,
    onRateLimit: (observed) => budget.observe(observed),
    ...(tokens ? { authorizer: tokens.authorizer() } : { challengeMemory: memory.challenge(host, ANONYMOUS) }),
  })
  const source = { id, name: url.host, nameAt: withoutProject, budget }
  if (tokens === undefined) return { ...source, acquaint: (signal) => remote.acquaint(signal), with: (signal) => remote.with(signal) }
  const pick = async (name: RepositoryName, signal: AbortSignal | undefined): Promise<Repository> => {
    try {
      await tokens.token(`repository:${vendor.repository(name)}:pull`, { signal })
      return remote.with(signal).repository(name)
    } catch (error) {
      if (!(error instanceof PasswordsOnly)) throw error
      return origin.with(signal).repository(parseRepositoryName(`${facts.name}/${name}`))
    }
  }
  return {
    ...source,
    with: (signal) =>
      deferred(
        (name) => pick(name, signal),
        (page) => remote.with(signal).repositories(page),
      ),
  }
}

/** With another address or other credentials it is another source: what the old one showed says nothing of the new one. */
export function upstreamSourceId({ facts }: ProjectDocument, upstream: UpstreamFacts): string {
  return `upstream.${facts.id}.${fingerprint(JSON.stringify(upstream))}`
}

/** `dockerhub-proxy/library/nginx` is `library/nginx` at the upstream. */
function withoutProject(name: RepositoryName): RepositoryName {
  const { rest } = splitProject(name)
  if (rest === '') throw new RegistryError('NAME_UNKNOWN', 'Give the image after the project, as in dockerhub-proxy/library/alpine.')
  return parseRepositoryName(rest)
}

/** Tells one configuration of an upstream from the next; nothing secret is in it (FNV-1a, 32 bits, over its length). */
function fingerprint(text: string): string {
  let hash = 0x811c9dc5
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
  return `${(hash >>> 0).toString(16)}-${text.length}`
}

import type { Gate } from '../../registry/access.ts'
import type { Registry } from '../../registry/registry.ts'
import { RegistryError } from '../../registry/spec/errors.ts'
import { isRepositoryName, type RepositoryName, splitProject } from '../../registry/spec/names.ts'
import { SCOPES_OF_A_TOKEN } from '../limits.ts'
import { type Facts, PAST_GRACE } from '../snapshot.ts'

export interface MirrorSettings {
  /** The project that answers for Docker Hub where a request does not say which registry it means. */
  readonly project?: string | undefined
  /** The host by which requests for Docker Hub come, and no others: `mirror.example.com`, `localhost:8081`. */
  readonly host?: string | undefined
}

const DOCKER_HUB = 'docker.io'
/** Other names of it. */
const HUB_HOSTS: ReadonlySet<string> = new Set(['docker.io', 'index.docker.io', 'registry-1.docker.io', 'registry.hub.docker.com', 'hub.docker.com'])
/** Docker's own name for images without one. */
const OFFICIAL = 'library'
const SCOPE = /^repository:([^:]+):(.+)$/

/**
 * Requests that name an image as its own registry does: containerd says which registry with `?ns=`, dockerd means Docker Hub and says nothing.
 * The proxy caches that stand for a registry come from the origin's document.
 */
export class Mirrors {
  readonly #facts: Pick<Facts, 'project' | 'mirrors'>
  readonly #settings: MirrorSettings

  constructor(facts: Pick<Facts, 'project' | 'mirrors'>, settings: MirrorSettings = {}) {
    this.#facts = facts
    this.#settings = settings
  }

  /**
   * What a repository is called here, the first choice first; undefined: the request means it as it says.
   * @throws RegistryError NAME_UNKNOWN when nothing here stands for that registry
   */
  async names(request: Request, name: RepositoryName): Promise<readonly RepositoryName[] | undefined> {
    const ns = namespaceOf(request)
    if (ns === undefined) return await this.#hubNames(request, name)
    const projects = (await this.#facts.mirrors())?.hosts[ns] ?? []
    const found = inProjects(projects, name)
    if (found.length > 0) return found
    throw new RegistryError('NAME_UNKNOWN', `No project here stands for ${ns}: ask it directly, or have a proxy cache made for it.`, {
      registry: ns.slice(0, 255),
    })
  }

  /** The scopes of a token request, and what they mean here besides: dockerd asks for tokens by the names that it knows. */
  async scopes(request: Request, scopes: readonly string[]): Promise<readonly string[]> {
    const more: string[] = []
    for (const scope of scopes.flatMap((each) => each.split(' ')).slice(0, SCOPES_OF_A_TOKEN)) {
      const [, name, actions] = SCOPE.exec(scope) ?? []
      if (name === undefined || !isRepositoryName(name) || !actions?.split(',').includes('pull')) continue
      for (const here of (await this.#hubNames(request, name)) ?? []) more.push(`repository:${here}:pull`)
    }
    return [...scopes, ...more]
  }

  async #hubNames(request: Request, name: RepositoryName): Promise<readonly RepositoryName[] | undefined> {
    const { host, project } = this.#settings
    if (host === undefined && project === undefined) return undefined
    if (host !== undefined && new URL(request.url).host !== host) return undefined
    if (host === undefined && splitProject(name).project !== OFFICIAL && (await this.#isOurs(name))) return undefined
    const projects = project === undefined ? ((await this.#facts.mirrors())?.hosts[DOCKER_HUB] ?? []) : [project]
    const found = inProjects(projects, name)
    return found.length > 0 ? found : undefined
  }

  /** @throws RegistryError UNAVAILABLE when that cannot be said: what may be a project of this site is never fetched from elsewhere */
  async #isOurs(name: RepositoryName): Promise<boolean> {
    const { project } = splitProject(name)
    try {
      return (await this.#facts.project(project)) !== undefined
    } catch (error) {
      if (!(error instanceof RegistryError) || error.code !== 'UNAVAILABLE' || isPastGrace(error)) throw error
      const message = `This edge cannot learn now whether ${project} is a project of this site, so it does not fetch this from Docker Hub either. Try again when its origin is back; a client that says ?ns=docker.io is served meanwhile.`
      throw new RegistryError('UNAVAILABLE', message, undefined, { cause: error, headers: error.headers })
    }
  }
}

/** It is a project of this site, of which nothing may be said any more. */
function isPastGrace({ detail }: RegistryError): boolean {
  return typeof detail === 'object' && detail !== null && 'reason' in detail && detail.reason === PAST_GRACE.reason
}

/** The registry in which `name` is the first of these that the gate lets its caller read, or else the first: then its refusal is the answer. */
export async function mirrored(registry: Registry, name: RepositoryName, here: readonly RepositoryName[], gate: Gate): Promise<Registry> {
  let chosen = here[0]
  for (const candidate of here) {
    if (!(await gate.allows(candidate, 'pull'))) continue
    chosen = candidate
    break
  }
  return {
    repository: (asked) => registry.repository(asked === name && chosen !== undefined ? chosen : asked),
    repositories: (page) => registry.repositories(page),
  }
}

/** The registry that a request says it means. */
function namespaceOf({ url }: Request): string | undefined {
  if (!url.includes('ns=')) return undefined
  const ns = new URL(url).searchParams.get('ns')?.toLowerCase()
  if (ns === undefined || ns === '') return undefined
  return HUB_HOSTS.has(ns) ? DOCKER_HUB : ns
}

function inProjects(projects: readonly string[], name: RepositoryName): RepositoryName[] {
  return projects.map((project) => `${project}/${name}`).filter(isRepositoryName)
}

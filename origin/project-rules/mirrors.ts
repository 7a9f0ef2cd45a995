import type { Database } from '../../schema/database.ts'
import { type Endpoint, findEndpointById } from '../../schema/endpoints.ts'
import { listProjects, type Project } from '../../schema/projects.ts'
import { rulesIn } from './settings.ts'

const PAGE = 100

/** A registry that proxy caches stand for. */
export interface Mirrored {
  /** `docker.io`, `quay.io`, `registry.example.com:5000`. */
  readonly host: string
  /** Those that stand for it, the first choice first. */
  readonly projects: readonly string[]
  /** It is asked without TLS. */
  readonly plain: boolean
}

interface Choice {
  readonly host: string
  readonly project: Project
  readonly plain: boolean
  /** Somebody said that it stands for this host. */
  readonly stated: boolean
}

/** Which proxy caches stand for which registries. Those that were told to come first, then public ones, then those that were made first. */
export async function mirrorsOf(db: Database): Promise<readonly Mirrored[]> {
  const choices: Choice[] = []
  const endpoints = new Map<number, Promise<Endpoint | undefined>>()
  for (let page = 1; ; page++) {
    const { items, total } = await listProjects(db, { proxy: true }, { page, pageSize: PAGE })
    for (const project of items) {
      if (project.endpointId === null) continue
      const found = endpoints.get(project.endpointId) ?? findEndpointById(db, project.endpointId)
      endpoints.set(project.endpointId, found)
      const endpoint = await found
      if (endpoint !== undefined) choices.push(...choicesOf(project, endpoint))
    }
    if (items.length === 0 || page * PAGE >= total) break
  }
  choices.sort((a, b) => Number(b.stated) - Number(a.stated) || Number(b.project.public) - Number(a.project.public) || a.project.id - b.project.id)
  const mirrored = new Map<string, Mirrored>()
  for (const { host, project, plain } of choices) {
    const { projects, plain: before } = mirrored.get(host) ?? { projects: [], plain: true }
    mirrored.set(host, { host, projects: [...projects, project.name], plain: before && plain })
  }
  return [...mirrored.values()]
}

function choicesOf(project: Project, endpoint: Endpoint): Choice[] {
  const set = rulesIn(project, 'mirror')
  if (set?.enabled === false) return []
  const plain = URL.parse(endpoint.url)?.protocol === 'http:'
  if (set !== undefined && set.hosts.length > 0)
    return set.hosts.map((host) => ({ host, project, plain: plain && host === hostOf(endpoint), stated: true }))
  const host = hostOf(endpoint)
  return host === undefined ? [] : [{ host, project, plain, stated: false }]
}

/** The name that images of this registry begin with. */
function hostOf({ type, url }: Endpoint): string | undefined {
  if (type === 'docker-hub') return 'docker.io'
  return URL.parse(url)?.host || undefined
}

import type { Database } from '../../schema/database.ts'
import { type Endpoint, findEndpointById } from '../../schema/endpoints.ts'
import { listProjects, type Project } from '../../schema/projects.ts'
import { rulesIn } from './settings.ts'

const PAGE = 100

interface Choice {
  readonly host: string
  readonly project: Project
  /** Somebody said that it stands for this host. */
  readonly stated: boolean
}

/** Which proxy caches stand for which registries. Those that were told to come first, then public ones, then those that were made first. */
export async function mirrorsOf(db: Database): Promise<Record<string, readonly string[]>> {
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
  const hosts = new Map<string, string[]>()
  for (const { host, project } of choices) hosts.set(host, [...(hosts.get(host) ?? []), project.name])
  return Object.fromEntries(hosts)
}

function choicesOf(project: Project, endpoint: Endpoint): Choice[] {
  const set = rulesIn(project, 'mirror')
  if (set?.enabled === false) return []
  if (set !== undefined && set.hosts.length > 0) return set.hosts.map((host) => ({ host, project, stated: true }))
  const host = hostOf(endpoint)
  return host === undefined ? [] : [{ host, project, stated: false }]
}

/** The name that images of this registry begin with. */
function hostOf({ type, url }: Endpoint): string | undefined {
  if (type === 'docker-hub') return 'docker.io'
  return URL.parse(url)?.host || undefined
}

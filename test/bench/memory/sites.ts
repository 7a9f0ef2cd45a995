import { type AtollProcess, startAtoll } from '../../support/atoll.ts'

const QUIET = { ATOLL_LOG_LEVEL: 'error' }

/** A public project of this name that stands for an upstream. */
export async function proxyCache(origin: AtollProcess, name: string, upstream: URL): Promise<void> {
  const endpoint = await origin.api('POST', '/api/v2.0/registries', { name, type: 'docker-registry', url: upstream.origin })
  const id = Number(endpoint.headers.get('location')?.split('/').at(-1))
  const made = await origin.api('POST', '/api/v2.0/projects', { project_name: name, public: true, registry_id: id })
  if (made.status !== 201) throw new Error(`no proxy cache: ${made.status} ${await made.text()}`)
}

/** An edge of this origin, in a process of its own. */
export async function separateEdge(origin: AtollProcess): Promise<AtollProcess> {
  const enrolment = await origin.api('POST', '/api/atoll/v1/edges', { name: 'bench', region: 'here' })
  const { token } = (await enrolment.json()) as { token: string }
  return await startAtoll({
    role: 'edge',
    env: { ...QUIET, ATOLL_EDGE_ORIGIN_URL: `http://${origin.origin}`, ATOLL_EDGE_ENROLMENT_TOKEN: token },
  })
}

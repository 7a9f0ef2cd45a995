import type { TestOrigin } from './support.ts'

/** Makes a public proxy-cache project of the registry at `url`, in front of an endpoint of the same name. `endpoint`: what else that has, as the API takes it. */
export async function proxyCache(origin: TestOrigin, name: string, url: URL, endpoint: object = {}): Promise<void> {
  const made = await origin.api('POST', '/api/v2.0/registries', { name, type: 'docker-hub', url: url.origin, insecure: true, ...endpoint })
  const id = Number(made.headers.get('location')?.split('/').at(-1))
  const project = await origin.api('POST', '/api/v2.0/projects', { project_name: name, public: true, registry_id: id })
  if (project.status !== 201) throw new Error(`no proxy cache: ${project.status} ${await project.text()}`)
}

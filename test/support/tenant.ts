import { type AtollProcess, startAtoll } from './atoll.ts'
import { pushImage, type TestImage } from './images.ts'

export interface Credentials {
  readonly username: string
  readonly password: string
}

export interface TestRobot extends Credentials {
  readonly id: number
}

/** What an administrator does before a test begins, at a running origin. Everything throws unless it was created. */
export class Tenant {
  readonly #atoll: AtollProcess

  constructor(atoll: AtollProcess) {
    this.#atoll = atoll
  }

  /** @returns the answer of a call of the API that succeeded */
  async call(method: string, path: string, body?: unknown): Promise<Response> {
    const answer = await this.#atoll.api(method, path, body)
    const bytes = await answer.arrayBuffer()
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${Buffer.from(bytes)}`)
    return new Response(answer.status === 204 ? null : bytes, answer)
  }

  async project(name: string, options: { readonly public: boolean; readonly registry_id?: number }): Promise<void> {
    await this.call('POST', '/api/v2.0/projects', { project_name: name, ...options })
  }

  /** A robot of the system that may do these to the repositories of one project. */
  async robot(name: string, project: string, actions: readonly string[] = ['pull', 'push']): Promise<TestRobot> {
    const access = actions.map((action) => ({ resource: 'repository', action }))
    const permissions = [{ kind: 'project', namespace: project, access }]
    const answer = await this.call('POST', '/api/v2.0/robots', { name, level: 'system', duration: -1, permissions })
    const made = (await answer.json()) as { id: number; name: string; secret: string }
    return { id: made.id, username: made.name, password: made.secret }
  }

  async user(username: string, password: string): Promise<Credentials> {
    await this.call('POST', '/api/v2.0/users', { username, password, email: `${username}@example.com`, realname: username })
    return { username, password }
  }

  /** The id of a new endpoint. */
  async endpoint(endpoint: Readonly<Record<string, unknown>>): Promise<number> {
    const made = await this.call('POST', '/api/v2.0/registries', endpoint)
    return Number(made.headers.get('location')?.split('/').at(-1))
  }

  async enrolmentToken(name: string): Promise<string> {
    const answer = await this.call('POST', '/api/atoll/v1/edges', { name, region: 'eu' })
    return ((await answer.json()) as { token: string }).token
  }

  /** An edge of this origin, started and enrolled. */
  async edge(name: string, env: Readonly<Record<string, string>> = {}): Promise<AtollProcess> {
    const enrolment = { ATOLL_EDGE_ORIGIN_URL: `http://${this.#atoll.origin}`, ATOLL_EDGE_ENROLMENT_TOKEN: await this.enrolmentToken(name) }
    return await startAtoll({ role: 'edge', env: { ...enrolment, ...env } })
  }

  async push(repository: string, image: TestImage, credentials: Credentials, ...tags: string[]): Promise<void> {
    await pushImage({ url: new URL(`http://${this.#atoll.origin}`), repository, headers: { authorization: basic(credentials) } }, image, ...tags)
  }
}

export function basic({ username, password }: Credentials): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`
}

/** A token of the token service at `host`, origin or edge. */
export async function tokenAt(host: string, scope: string, credentials?: Credentials): Promise<string> {
  const answer = await fetch(`http://${host}/service/token?service=atoll&scope=${encodeURIComponent(scope)}`, {
    headers: credentials ? { authorization: basic(credentials) } : {},
  })
  if (answer.status !== 200) throw new Error(`no token at ${host}: ${answer.status} ${await answer.text()}`)
  return ((await answer.json()) as { token: string }).token
}

/** The answer with its body read. @throws when it breaks off */
export async function getAt(host: string, path: string, token?: string): Promise<Response> {
  const answer = await fetch(`http://${host}${path}`, { headers: token === undefined ? {} : { authorization: `Bearer ${token}` } })
  return new Response(await answer.arrayBuffer(), answer)
}

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ADMIN_PASSWORD, type AtollProcess, startAtoll } from '../support/atoll.ts'
import { type ImageLayout, imageLayout } from '../support/layout.ts'
import { requireTool } from '../support/tools.ts'
import { until } from '../support/until.ts'
import { type AtollWorker, startAtollWorker } from '../support/worker.ts'
import type { Client, ClientSession } from './client.ts'
import { containerd } from './tools/containerd.ts'
import { crane } from './tools/crane.ts'
import { docker } from './tools/docker.ts'
import { helm } from './tools/helm.ts'
import { oras } from './tools/oras.ts'
import { podman } from './tools/podman.ts'
import { regctl } from './tools/regctl.ts'
import { skopeo } from './tools/skopeo.ts'

/** All but oras and helm follow an upload to another host; those two take that for an attack, and their uploads pass through the Worker. */
const CLIENTS: readonly Client[] = [skopeo, podman, docker, containerd, crane, oras, regctl, helm]

let atoll: AtollProcess
let worker: AtollWorker
let layout: ImageLayout
const robots = new Map<string, { readonly name: string; readonly secret: string }>()

beforeAll(async () => {
  ;[atoll, layout] = await Promise.all([startAtoll(), imageLayout()])
  await created('/api/v2.0/projects', { project_name: 'team', public: false })
  const access = ['pull', 'push'].map((action) => ({ resource: 'repository', action }))
  for (const client of CLIENTS) {
    const permissions = [{ kind: 'project', namespace: 'team', access }]
    const answer = await created('/api/v2.0/robots', { name: slugOf(client), level: 'system', duration: -1, permissions })
    robots.set(client.name, (await answer.json()) as { name: string; secret: string })
  }
  worker = await startAtollWorker({ origin: `http://${atoll.origin}`, admin: { username: 'admin', password: ADMIN_PASSWORD } })
}, 120_000)

afterAll(async () => {
  await worker?.[Symbol.asyncDispose]()
  await atoll?.[Symbol.asyncDispose]()
  await layout?.[Symbol.asyncDispose]()
})

describe.each(CLIENTS)('$name', (client) => {
  const absent = Object.entries(client.needs).some(([tool, howToGet]) => !requireTool(tool, howToGet))
  const slug = slugOf(client)
  let workdir: string
  let session: ClientSession

  beforeAll(async () => {
    if (absent) return
    workdir = await mkdtemp(join(tmpdir(), `atoll-hand-over-${slug}-`))
    session = await client.open(workdir)
  })
  afterAll(async () => {
    await session?.[Symbol.asyncDispose]()
    if (workdir) await rm(workdir, { recursive: true, force: true })
  })

  test.skipIf(absent)(
    'pushes to a Worker, its layers straight to the origin where it follows there, and pulls at once',
    async () => {
      const robot = robots.get(client.name) ?? { name: '', secret: '' }
      const reference = `${worker.host}/team/${slug}:1.0.0`
      await expectOk(session.login(worker.host, robot.name, robot.secret))
      await expectOk(session.push(layout, reference))
      // The origin writes its log a moment later.
      await until('the origin has been sent a layer', async () => (await uploads()).some(({ method }) => method === 'PATCH' || method === 'PUT'))
      await expectOk(session.pull(reference))
    },
    240_000,
  )

  const uploads = async () =>
    (await atoll.output())
      .split('\n')
      .filter((line) => line.includes(`"path":"/v2/team/${slug}/blobs/uploads/`))
      .map((line) => JSON.parse(line) as { method: string; path: string })
})

async function created(path: string, body: unknown): Promise<Response> {
  const answer = await atoll.api('POST', path, body)
  if (answer.status !== 201) throw new Error(`POST ${path}: ${answer.status} ${await answer.text()}`)
  return answer
}

function slugOf(client: Client): string {
  return client.name.replace(/[^a-z]/g, '')
}

async function expectOk(outcome: ReturnType<ClientSession['pull']>): Promise<void> {
  const { code, stdout, stderr } = await outcome
  expect(code, `${stdout}\n${stderr}`).toBe(0)
}

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type AtollProcess, startAtoll } from '../support/atoll.ts'
import { type ImageLayout, imageLayout } from '../support/layout.ts'
import { requireTool } from '../support/tools.ts'
import { until } from '../support/until.ts'
import type { Client, ClientSession } from './client.ts'
import { containerd } from './tools/containerd.ts'
import { crane } from './tools/crane.ts'
import { docker } from './tools/docker.ts'
import { helm } from './tools/helm.ts'
import { oras } from './tools/oras.ts'
import { podman } from './tools/podman.ts'
import { regctl } from './tools/regctl.ts'
import { skopeo } from './tools/skopeo.ts'

const CLIENTS: readonly Client[] = [skopeo, podman, docker, containerd, crane, oras, regctl, helm]

let atoll: AtollProcess
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
}, 120_000)

afterAll(async () => {
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
    workdir = await mkdtemp(join(tmpdir(), `atoll-push-${slug}-`))
    session = await client.open(workdir)
  })
  afterAll(async () => {
    await session?.[Symbol.asyncDispose]()
    if (workdir) await rm(workdir, { recursive: true, force: true })
  })

  test.skipIf(absent)(
    'pushes through the Node edge, then pulls there without a question about it to the origin, and from the origin as well',
    async () => {
      const robot = robots.get(client.name) ?? { name: '', secret: '' }
      const image = `team/${slug}:1.0.0`
      for (const host of [atoll.edge, atoll.origin]) await expectOk(session.login(host, robot.name, robot.secret))
      await expectOk(session.push(layout, `${atoll.edge}/${image}`))
      // Its line is written when its answer is out, and that may be with the client by then.
      const pushed = `PUT /v2/team/${slug}/manifests/1.0.0`
      await until('the origin has written of the push', async () => (await askedOfOrigin(`team/${slug}`)).includes(pushed))
      const before = await askedOfOrigin(`team/${slug}`)
      await expectOk(session.pull(`${atoll.edge}/${image}`))
      expect((await askedOfOrigin(`team/${slug}`)).slice(before.length)).toEqual([])
      await expectOk(session.pull(`${atoll.origin}/${image}`))
    },
    240_000,
  )
})

/** What the origin was asked under /v2 about a repository. Log lines come in order, so that of a last question shows that no other is missing. */
async function askedOfOrigin(repository: string): Promise<string[]> {
  const requestId = crypto.randomUUID()
  await (await fetch(`http://${atoll.origin}/livez`, { headers: { 'x-request-id': requestId } })).text()
  await until('the origin has written its log', async () => (await atoll.output()).includes(requestId))
  const lines = (await atoll.output()).split('\n').filter((line) => line.includes(`"path":"/v2/${repository}/`))
  const asked = lines.map((line) => {
    const { method, path } = JSON.parse(line) as { method: string; path: string }
    return `${method} ${path}`
  })
  // What refers to an image is a list, and changes without it: it is asked for each time.
  return asked.filter((line) => !line.includes('/referrers/'))
}

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

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ADMIN_PASSWORD, type AtollProcess, startAtoll } from '../support/atoll.ts'
import { type ImageLayout, imageLayout, pushIndexByHttp } from '../support/layout.ts'
import { requireTool } from '../support/tools.ts'
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

const CLIENTS: readonly Client[] = [skopeo, podman, docker, containerd, crane, oras, regctl, helm]
const DENIED = /denied|forbidden|403|unauthorized|401|authentication|insufficient|invalid username/i

interface Robot {
  readonly name: string
  readonly secret: string
}

let atoll: AtollProcess
let worker: AtollWorker
let layout: ImageLayout
const robots = new Map<string, Robot>()
let guest: { username: string; password: string }

beforeAll(async () => {
  ;[atoll, layout] = await Promise.all([startAtoll(), imageLayout()])
  const created = async (path: string, body: unknown) => {
    const answer = await atoll.api('POST', path, body)
    if (answer.status !== 201) throw new Error(`POST ${path}: ${answer.status} ${await answer.text()}`)
    return answer
  }
  await created('/api/v2.0/projects', { project_name: 'team', public: false })
  await created('/api/v2.0/projects', { project_name: 'open', public: true })
  const access = ['pull', 'push'].map((action) => ({ resource: 'repository', action }))
  const permissions = ['team', 'open'].map((namespace) => ({ kind: 'project', namespace, access }))
  // One for each client: wrong guesses at one account are throttled, and a test of many clients looks like an attack.
  for (const client of CLIENTS) {
    const answer = await created('/api/v2.0/robots', { name: slugOf(client), level: 'system', duration: -1, permissions })
    robots.set(client.name, (await answer.json()) as Robot)
  }
  const granted = await atoll.api('GET', '/service/token?service=atoll&scope=repository:team/platforms:pull,push')
  const { token: bearer } = (await granted.json()) as { token: string }
  await pushIndexByHttp(layout, { host: atoll.origin, repository: 'team/platforms', bearer }, '1.0.0')
  guest = { username: 'guest', password: 'Harbour54321' }
  await created('/api/v2.0/users', { ...guest, email: 'guest@example.com', realname: 'Guest' })
  await created('/api/v2.0/projects/team/members', { role_id: 3, member_user: { username: 'guest' } })
  await created('/api/v2.0/users', { username: 'stranger', password: 'Harbour54321', email: 'stranger@example.com', realname: 'Stranger' })
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
  const robotOf = () => robots.get(client.name) ?? { name: '', secret: '' }
  let workdir: string
  let session: ClientSession

  beforeAll(async () => {
    if (absent) return
    workdir = await mkdtemp(join(tmpdir(), `atoll-${slug}-`))
    session = await client.open(workdir)
  })
  afterAll(async () => {
    await session?.[Symbol.asyncDispose]()
    if (workdir) await rm(workdir, { recursive: true, force: true })
  })

  const sites = () => [
    ['the origin', atoll.origin],
    ['the Node edge', atoll.edge],
    ['the Worker edge', worker.host],
  ]

  test.skipIf(absent)(
    'a robot logs in, pushes to the origin, and pulls from the origin and through both kinds of edge',
    async () => {
      for (const project of ['team', 'open']) {
        await expectOk(session.login(atoll.origin, robotOf().name, robotOf().secret))
        await expectOk(session.push(layout, `${atoll.origin}/${project}/${slug}:1.0.0`))
      }
      for (const [, host] of sites()) {
        await expectOk(session.login(host as string, robotOf().name, robotOf().secret))
        await expectOk(session.pull(`${host}/team/${slug}:1.0.0`))
        await expectOk(session.pull(`${host}/team/${slug}:1.0.0`))
      }
    },
    240_000,
  )

  if (client.indexes === 'moves') {
    test.skipIf(absent)(
      'an index of several platforms arrives whole, through edges too',
      async () => {
        const { pushIndex, pullIndex } = session
        if (!pushIndex || !pullIndex) throw new Error(`${client.name} is said to move an index`)
        await expectOk(session.login(atoll.origin, robotOf().name, robotOf().secret))
        await expectOk(pushIndex(layout, `${atoll.origin}/team/${slug}-index:1.0.0`))
        for (const [, host] of sites()) {
          await expectOk(session.login(host as string, robotOf().name, robotOf().secret))
          await expectOk(pullIndex(`${host}/team/${slug}-index:1.0.0`))
        }
      },
      240_000,
    )
  }

  if (client.indexes === 'picks') {
    test.skipIf(absent)(
      'finds its own platform in an index, through edges too',
      async () => {
        for (const [, host] of sites()) {
          await expectOk(session.login(host as string, robotOf().name, robotOf().secret))
          await expectOk(session.pull(`${host}/team/platforms:1.0.0`))
        }
      },
      240_000,
    )
  }

  test.skipIf(absent)(
    'a wrong password is refused everywhere, and so is who has no right',
    async () => {
      await using fresh = await another(client)
      for (const [, host] of sites()) {
        const login = fresh.session.login(host as string, robotOf().name, `${robotOf().secret}x`)
        await (client.loginAsks ? expectRefused(login) : expectOk(login))
        await expectRefused(fresh.session.pull(`${host}/team/${slug}:1.0.0`))
        await expectOk(fresh.session.login(host as string, 'stranger', 'Harbour54321'))
        await expectRefused(fresh.session.pull(`${host}/team/${slug}:1.0.0`))
      }
      await expectOk(fresh.session.login(atoll.origin, guest.username, guest.password))
      await expectOk(fresh.session.pull(`${atoll.origin}/team/${slug}:1.0.0`))
      await expectRefused(fresh.session.push(layout, `${atoll.origin}/team/${slug}:2.0.0`))
    },
    240_000,
  )

  test.skipIf(absent)(
    'anybody pulls from a public project without a login',
    async () => {
      await using fresh = await another(client)
      for (const [, host] of sites()) await expectOk(fresh.session.pull(`${host}/open/${slug}:1.0.0`))
    },
    120_000,
  )
})

function slugOf(client: Client): string {
  return client.name.replace(/[^a-z]/g, '')
}

/** The same client with nothing remembered. */
async function another(client: Client): Promise<{ session: ClientSession } & AsyncDisposable> {
  const workdir = await mkdtemp(join(tmpdir(), 'atoll-client-'))
  const session = await client.open(workdir)
  return {
    session,
    async [Symbol.asyncDispose]() {
      await session[Symbol.asyncDispose]()
      await rm(workdir, { recursive: true, force: true })
    },
  }
}

async function expectOk(outcome: ReturnType<ClientSession['pull']>): Promise<void> {
  const { code, stdout, stderr } = await outcome
  expect(code, `${stdout}\n${stderr}`).toBe(0)
}

async function expectRefused(outcome: ReturnType<ClientSession['pull']>): Promise<void> {
  const { code, stdout, stderr } = await outcome
  expect(code).not.toBe(0)
  expect(`${stdout}\n${stderr}`).toMatch(DENIED)
}

import { afterAll, beforeAll, expect, test } from 'vitest'
import { ADMIN_PASSWORD, type AtollProcess, startAtoll } from '../support/atoll.ts'
import { pushImage, randomImage } from '../support/images.ts'
import { until } from '../support/until.ts'
import { addEndpointWith, atollCli, atollJson, type Execution, targetAt } from './sites.ts'

// Rules that give what they copy another name, by which they or others would copy it again.

let a: AtollProcess
let b: AtollProcess

beforeAll(async () => {
  ;[a, b] = await Promise.all([startAtoll({ role: 'origin' }), startAtoll({ role: 'origin' })])
  await endpoint(a, 'b', b)
  await endpoint(b, 'a', a)
  await endpoint(a, 'self', a)
  for (const project of ['to-and-fro', 'there', 'inside', 'chain']) await atollCli(a, 'project', 'create', project)
}, 120_000)

afterAll(async () => {
  for (const site of [a, b]) await site?.[Symbol.asyncDispose]()
})

async function endpoint(at: AtollProcess, name: string, to: AtollProcess): Promise<void> {
  const added = await addEndpointWith(at, name, `http://${to.origin}`, 'admin', ADMIN_PASSWORD)
  expect(added.code, added.stderr).toBe(0)
}

async function rule(at: AtollProcess, name: string, to: string, pattern: string, namespace?: string, replaced = 0): Promise<void> {
  const endpoints = (await (await at.api('GET', '/api/v2.0/registries')).json()) as { id: number; name: string }[]
  const made = await at.api('POST', '/api/v2.0/replication/policies', {
    name,
    dest_registry: { id: endpoints.find((each) => each.name === to)?.id },
    ...(namespace !== undefined && { dest_namespace: namespace, dest_namespace_replace_count: replaced }),
    filters: [{ type: 'name', value: pattern }],
    trigger: { type: 'event_based' },
    enabled: true,
    override: true,
  })
  expect(made.status, await made.text()).toBe(201)
}

const repositories = async (at: AtollProcess) => {
  const all = (await (await at.api('GET', '/api/v2.0/repositories?page_size=100')).json()) as { name: string }[]
  return all.map(({ name }) => name).sort()
}

const has = async (at: AtollProcess, repository: string) => (await repositories(at)).includes(repository)

/** All executions have ended, and for a while no further one has begun. */
async function atRest(): Promise<void> {
  let before = ''
  await until(
    'the sites have come to rest',
    async () => {
      const executions = (await Promise.all([a, b].map((site) => atollJson<Execution[]>(site, 'replicate', 'ls')))).flat()
      const now = executions.map(({ status }) => status).join()
      const rest = now === before && !now.includes('InProgress')
      before = now
      return rest
    },
    60_000,
  )
}

test('a rule brings a tag under a further name once, at one site, between two, and by a chain of rules to its end', async () => {
  // To itself, under a name that it matches again.
  await rule(a, 'inside', 'self', 'inside/**', 'inside')
  // To another, which gives it back under a longer name.
  await rule(a, 'there', 'b', 'to-and-fro/**', 'there')
  await rule(b, 'back', 'a', 'there/**', 'to-and-fro')
  // What comes back is wanted elsewhere: no rule sees it twice.
  await rule(a, 'first', 'b', 'chain/**', 'chain-b')
  await rule(b, 'second', 'a', 'chain-b/**', 'chain-c')
  await rule(a, 'third', 'b', 'chain-c/**', 'chain-d')
  const image = randomImage()
  for (const name of ['inside/app', 'to-and-fro/app', 'chain/app']) await pushImage(targetAt(a, name), image, 'v1')
  await until('the chain has come to its end', () => has(b, 'chain-d/chain-c/chain-b/chain/app'), 60_000)
  await until('it has come back', () => has(a, 'to-and-fro/there/to-and-fro/app'), 60_000)
  await until('it is inside', () => has(a, 'inside/inside/app'), 60_000)
  await atRest()
  expect(await repositories(a)).toEqual([
    'chain-c/chain-b/chain/app',
    'chain/app',
    'inside/app',
    'inside/inside/app',
    'to-and-fro/app',
    'to-and-fro/there/to-and-fro/app',
  ])
  expect(await repositories(b)).toEqual(['chain-b/chain/app', 'chain-d/chain-c/chain-b/chain/app', 'there/to-and-fro/app'])
}, 180_000)

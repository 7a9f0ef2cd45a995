import { once } from 'node:events'
import { createServer as createHttpServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createServer, type Server } from 'node:net'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { heldBack } from '../origin/api/held-back.ts'
import { createEndpoint, type NewEndpoint, updateEndpoint } from '../schema/endpoints.ts'
import { listRunningJobs } from '../schema/job-queues.ts'
import { pausedLanes } from '../schema/lanes.ts'
import { createReplicationPolicy } from '../schema/replication.ts'
import { findExecution, type ReplicationExecution, startExecution } from '../schema/replication-executions.ts'
import { planReplication } from '../schema/replication-jobs.ts'
import { type BareRegistry, bareRegistry } from '../test/support/bare-registry.ts'
import { controlPlaneOf, pushLayer } from '../test/support/control-plane.ts'
import type { RunningControlPlane } from './start.ts'

const CONCURRENCY = 2
/** More than are done at once. */
const REPOSITORIES = 6

let here: BareRegistry
let there: BareRegistry
/** It takes connections, and never says a word. */
let silent: Server
const running: RunningControlPlane[] = []

beforeEach(async () => {
  here = await bareRegistry({ projects: ['team'] })
  there = await bareRegistry({ projects: ['team'] })
  silent = createServer(() => {}).listen(0, '127.0.0.1')
  await once(silent, 'listening')
  for (let n = 0; n < REPOSITORIES; n++) await pushLayer(here, `team/app${n}`, 'v1')
})

afterEach(async () => {
  for (const plane of running.splice(0)) await plane.close()
  silent.close()
  await here[Symbol.asyncDispose]()
  await there[Symbol.asyncDispose]()
})

const silentUrl = () => `http://127.0.0.1:${(silent.address() as AddressInfo).port}`

/** A rule to or from an endpoint of its own, begun. Resolves with its execution. */
async function begin(name: string, endpoint: Pick<NewEndpoint, 'url' | 'jobsAtOnce'>, way: 'push' | 'pull' = 'push'): Promise<number> {
  const { database } = here
  const { id } = await createEndpoint(database, { name, type: 'docker-registry', ...endpoint }, 'system')
  const sides = way === 'push' ? { destinationEndpointId: id } : { sourceEndpointId: id }
  const filters = [{ type: 'name', value: 'team/app*' }]
  const rule = await createReplicationPolicy(database, { name, ...sides, trigger: 'manual', filters, creator: 'system' }, 'system')
  return startExecution(database, { policyId: rule.id, trigger: 'manual', operator: 'admin' }, (executionId) =>
    planReplication({ executionId }, rule.sourceEndpointId),
  )
}

/** Resolves once `holds` gives something, looking after each commit here. */
function eventually<T>(holds: () => Promise<T | undefined>): Promise<T> {
  return new Promise((resolve, reject) => {
    const look = () => {
      holds().then((found) => {
        if (found === undefined) return
        unsubscribe()
        resolve(found)
      }, reject)
    }
    const unsubscribe = here.database.onCommit(look)
    look()
  })
}

const whole = (execution: number): Promise<ReplicationExecution> =>
  eventually(async () => {
    const found = await findExecution(here.database, execution)
    return found?.status === 'InProgress' ? undefined : found
  })

const atWork = async () => (await listRunningJobs(here.database)).length

it('endpoints that never answer hold up no other, to push to or to pull from', async () => {
  running.push(controlPlaneOf(here, { concurrency: CONCURRENCY }))
  const hanging = [await begin('hanging', { url: silentUrl() }), await begin('listing', { url: silentUrl() }, 'pull')]
  await eventually(async () => ((await atWork()) >= CONCURRENCY ? true : undefined))
  const other = await whole(await begin('other', { url: there.server.url }))
  expect(other).toMatchObject({ status: 'Succeed', succeeded: REPOSITORIES })
  for (const id of hanging) expect(await findExecution(here.database, id)).toMatchObject({ status: 'InProgress', succeeded: 0 })
})

it('an endpoint gets as many tasks at once as it may, from two control planes together', async () => {
  running.push(controlPlaneOf(here, { owner: 'one' }), controlPlaneOf(here, { owner: 'two' }))
  let most = 0
  const unsubscribe = here.database.onCommit(() => {
    atWork().then((count) => {
      most = Math.max(most, count)
    })
  })
  const limited = await begin('limited', { url: silentUrl(), jobsAtOnce: 3 })
  await eventually(async () => ((await atWork()) === 3 ? true : undefined))
  // Whoever looks for more to do has looked, once another rule has been seen to.
  expect(await whole(await begin('other', { url: there.server.url, jobsAtOnce: 1 }))).toMatchObject({ status: 'Succeed', succeeded: REPOSITORIES })
  unsubscribe()
  expect(await findExecution(here.database, limited)).toMatchObject({ inProgress: 3, pending: REPOSITORIES - 3 })
  // Three of the one, one of the other; its plan is of neither.
  expect(most).toBeLessThanOrEqual(5)
})

it('an endpoint that asked to be left alone for an hour is asked at once when it is another, and until then it is said what is waited for', async () => {
  const limits = createHttpServer((_request, response) => response.writeHead(429, { 'Retry-After': '3600' }).end()).listen(0, '127.0.0.1')
  await once(limits, 'listening')
  try {
    await pushLayer(there, 'team/app0', 'v1')
    running.push(controlPlaneOf(here, { concurrency: CONCURRENCY }))
    const { database } = here
    const execution = await begin('limited', { url: `http://127.0.0.1:${(limits.address() as AddressInfo).port}` }, 'pull')
    const noted = await eventually(async () => {
      const found = await findExecution(database, execution)
      return found?.note === '' ? undefined : found
    })
    expect(noted).toMatchObject({ status: 'InProgress', statusText: 'planning', note: expect.stringMatching(/limits how often.*again at/) })
    const { endpoint } = await eventually(async () => {
      const [pause] = await pausedLanes(database)
      return pause && { endpoint: pause[0] }
    })
    expect((await heldBack(database, [noted]))(noted)).toMatch(/^limited is left alone until \S+, since a job of it failed: TOOMANYREQUESTS: /)
    await updateEndpoint(database, endpoint, { url: there.server.url }, 'system')
    expect(await pausedLanes(database)).toEqual(new Map())
    expect(await whole(execution)).toMatchObject({ status: 'Succeed', statusText: '', note: '' })
    expect((await heldBack(database, [noted]))(noted)).toBeUndefined()
  } finally {
    limits.close()
  }
})

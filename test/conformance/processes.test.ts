import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ADMIN_PASSWORD, type AtollProcess, startAtoll } from '../support/atoll.ts'
import { pushImage, randomImage, randomIndex } from '../support/images.ts'
import { type AtollWorker, startAtollWorker } from '../support/worker.ts'
import { type ConformanceResult, findSuite, type ReadOnlyData, readOnly, runConformance, SUITE_MISSING } from './run.ts'

const SUITE_TIMEOUT_MS = 600_000
const suite = await findSuite()
if (suite === undefined) process.stderr.write(`Left out: conformance of processes. ${SUITE_MISSING}\n`)

/** The suite has some 830 tests; far fewer would mean that it did not run. */
const TESTS_AT_LEAST = 800
/** What is left of them for a registry that takes no pushes. */
const READ_ONLY_TESTS_AT_LEAST = 24
const ADMIN = { username: 'admin', password: ADMIN_PASSWORD }

interface Credentials {
  readonly username: string
  readonly password: string
}

describe.skipIf(suite === undefined)('conforms to the OCI distribution specification, with a login', () => {
  let atoll: AtollProcess
  let worker: AtollWorker
  let robot: Credentials
  let held: ReadOnlyData

  beforeAll(async () => {
    atoll = await startAtoll()
    await created('/api/v2.0/projects', { project_name: 'conformance', public: false })
    const access = ['pull', 'push', 'delete'].map((action) => ({ resource: 'repository', action }))
    const tags = ['create', 'delete', 'list'].map((action) => ({ resource: 'tag', action }))
    const artifacts = ['read', 'list', 'delete'].map((action) => ({ resource: 'artifact', action }))
    const permissions = [{ kind: 'project', namespace: 'conformance', access: [...access, ...tags, ...artifacts] }]
    const made = await created('/api/v2.0/robots', { name: 'suite', level: 'system', duration: -1, permissions })
    const { name, secret } = (await made.json()) as { name: string; secret: string }
    robot = { username: name, password: secret }
    held = await content()
    worker = await startAtollWorker({ origin: `http://${atoll.origin}`, admin: ADMIN })
  }, 120_000)
  afterAll(async () => {
    await worker?.[Symbol.asyncDispose]()
    await atoll?.[Symbol.asyncDispose]()
  })

  async function created(path: string, body: unknown): Promise<Response> {
    const answer = await atoll.api('POST', path, body)
    if (answer.status !== 201) throw new Error(`POST ${path}: ${answer.status} ${await answer.text()}`)
    return answer
  }

  /** An image, an index and something that refers to the image, in the repository that the edges are asked for. */
  async function content(): Promise<ReadOnlyData> {
    const target = {
      url: new URL(`http://${atoll.origin}`),
      repository: 'conformance/held',
      headers: { authorization: `Basic ${btoa(`${robot.username}:${robot.password}`)}` },
    }
    const image = randomImage({ layers: [10_000, 3_000_000] })
    const index = randomIndex(['amd64', 'arm64'])
    await pushImage(target, image, 'image', 'again')
    await pushImage(target, index, 'index')
    await pushImage(target, randomImage({ subject: image.manifest }))
    return {
      tags: ['image', 'again', 'index'],
      manifests: [image, index, ...index.children].map(({ manifest }) => manifest.digest),
      blobs: image.blobs.map(({ digest }) => digest),
      referrers: [image.manifest.digest],
    }
  }

  const expectAll = (where: string, result: ConformanceResult, least: number) => {
    process.stdout.write(`conformance of ${where}: ${result.passed} passed, ${result.failed} failed, ${result.skipped} skipped\n`)
    expect(result.failures).toEqual([])
    expect(result.skips).toEqual([])
    expect(result.passed).toBeGreaterThan(least)
  }

  it.each([
    ['an administrator', () => ADMIN],
    ['a robot', () => robot],
  ])(
    'the origin, to %s, with everything optional switched on',
    async (who, credentials) => {
      // Each has repositories of his own: what one left must not help the other.
      const [repo1, repo2] = ['repo1', 'repo2'].map((name) => `conformance/${who.replaceAll(' ', '-')}/${name}`) as [string, string]
      const result = await runConformance({ registry: `http://${atoll.origin}`, repo1, repo2, ...credentials() })
      expectAll(`the origin, as ${who}`, result, TESTS_AT_LEAST)
      expect((await atoll.output()).split('\n').filter((line) => line.includes('"level":50') || line.includes('"level":"error"'))).toEqual([])
    },
    SUITE_TIMEOUT_MS,
  )

  it(
    'the Node edge, through which everything is pushed, with everything optional switched on',
    async () => {
      const repositories = { repo1: 'conformance/through/repo1', repo2: 'conformance/through/repo2' }
      const result = await runConformance({ registry: `http://${atoll.edge}`, ...repositories, ...robot })
      expectAll('the Node edge, pushed through', result, TESTS_AT_LEAST)
    },
    SUITE_TIMEOUT_MS,
  )

  it.each([
    ['the Node edge', () => atoll.edge],
    ['the Worker edge', () => worker.host],
  ])(
    '%s, in everything that reads',
    async (where, host) => {
      for (const round of ['cold', 'warm']) {
        const repositories = { repo1: 'conformance/held', repo2: 'conformance/other' }
        const result = await runConformance({ registry: `http://${host()}`, ...repositories, ...robot, options: readOnly(held) })
        expectAll(`${where}, ${round}`, result, READ_ONLY_TESTS_AT_LEAST)
      }
    },
    SUITE_TIMEOUT_MS,
  )
})

import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ADMIN_PASSWORD, type AtollProcess, startAtoll } from '../support/atoll.ts'
import { randomImage } from '../support/images.ts'
import { type Credentials, getAt, Tenant, tokenAt } from '../support/tenant.ts'
import { until } from '../support/until.ts'
import { type AtollWorker, startAtollWorker } from '../support/worker.ts'

// What an administrator decides at the origin holds at every connected edge within seconds, while the tokens that were given before still live.

/** The promise is 2 s; a busy machine may be late. What it took is printed. */
const DEADLINE_MS = 6_000
const ADMIN = { username: 'admin', password: ADMIN_PASSWORD }
const PASSWORD = 'Harbour54321'

let atoll: AtollProcess
let worker: AtollWorker
let tenant: Tenant

beforeAll(async () => {
  atoll = await startAtoll()
  tenant = new Tenant(atoll)
  worker = await startAtollWorker({ origin: `http://${atoll.origin}`, admin: ADMIN })
}, 120_000)
afterAll(async () => {
  await worker?.[Symbol.asyncDispose]()
  await atoll?.[Symbol.asyncDispose]()
})

const sites = () => [
  { site: 'the origin', host: atoll.origin },
  { site: 'the Node edge', host: atoll.edge },
  { site: 'the Worker edge', host: worker.host },
]

interface Holder {
  readonly site: string
  readonly host: string
  readonly token: string | undefined
}

/** A token at each site, with which the manifest can be read there. */
async function readers(path: string, credentials?: Credentials): Promise<Holder[]> {
  const repository = path.split('/').slice(2, 4).join('/')
  return Promise.all(
    sites().map(async ({ site, host }) => {
      const token = credentials && (await tokenAt(host, `repository:${repository}:pull`, credentials))
      await until(`it is served at ${site}`, async () => (await getAt(host, path, token)).status === 200, DEADLINE_MS)
      return { site, host, token }
    }),
  )
}

/** Waits at every site at once until it answers as wanted, and prints how long each took. */
async function everywhere(what: string, holders: readonly Holder[], path: string, wanted: (answer: Response) => boolean): Promise<void> {
  const start = performance.now()
  const delays = await Promise.all(
    holders.map(async ({ site, host, token }) => {
      await until(`${what} at ${site}`, async () => wanted(await getAt(host, path, token)), DEADLINE_MS)
      return `${site} ${Math.round(performance.now() - start)} ms`
    }),
  )
  process.stdout.write(`${what}: ${delays.join(', ')}\n`)
}

const refused = ({ status }: Response) => status === 401 || status === 403

describe('at the origin and both kinds of edge, with a token that has not expired', () => {
  it('a robot that was disabled is refused', async () => {
    await tenant.project('robots', { public: false })
    await tenant.push('robots/app', randomImage(), ADMIN, 'v1')
    const robot = await tenant.robot('doomed', 'robots')
    const path = '/v2/robots/app/manifests/v1'
    const holders = await readers(path, robot)
    const found = (await (await tenant.call('GET', `/api/v2.0/robots/${robot.id}`)).json()) as object
    await tenant.call('PUT', `/api/v2.0/robots/${robot.id}`, { ...found, disable: true })
    await everywhere('a disabled robot is refused', holders, path, refused)
    for (const { host } of sites()) await expect(tokenAt(host, 'repository:robots/app:pull', robot)).rejects.toThrow(/401|403/)
  })

  it('a member who was removed is refused, and so is his token for blobs', async () => {
    await tenant.project('members', { public: false })
    const image = randomImage()
    await tenant.push('members/app', image, ADMIN, 'v1')
    const user = await tenant.user('leaver', PASSWORD)
    const added = await tenant.call('POST', '/api/v2.0/projects/members/members', { role_id: 3, member_user: { username: 'leaver' } })
    const path = '/v2/members/app/manifests/v1'
    const holders = await readers(path, user)
    const blob = `/v2/members/app/blobs/${image.layers[0]?.digest}`
    for (const { host, token } of holders) expect((await getAt(host, blob, token)).status).toBe(200)
    await tenant.call('DELETE', `/api/v2.0/projects/members/members/${added.headers.get('location')?.split('/').at(-1)}`)
    await everywhere('a removed member is refused', holders, path, refused)
    await everywhere('a removed member is refused a blob', holders, blob, refused)
  })

  it('a project that was made private is closed to strangers', async () => {
    await tenant.project('turning', { public: true })
    await tenant.push('turning/app', randomImage(), ADMIN, 'v1')
    const path = '/v2/turning/app/manifests/v1'
    const holders = await readers(path)
    await tenant.call('PUT', '/api/v2.0/projects/turning', { metadata: { public: 'false' } })
    await everywhere('a project made private is closed', holders, path, refused)
  })

  it('a tag that was moved leads to the new manifest, and one that was deleted nowhere', async () => {
    await tenant.project('tags', { public: true })
    await tenant.push('tags/app', randomImage(), ADMIN, 'v1')
    const path = '/v2/tags/app/manifests/v1'
    const holders = await readers(path)
    const next = randomImage()
    await tenant.push('tags/app', next, ADMIN, 'v1')
    await everywhere('a moved tag is seen', holders, path, ({ headers }) => headers.get('docker-content-digest') === next.manifest.digest)
    const token = await tokenAt(atoll.origin, 'repository:tags/app:delete,pull', ADMIN)
    const deleted = await fetch(`http://${atoll.origin}${path}`, { method: 'DELETE', headers: { authorization: `Bearer ${token}` } })
    expect(deleted.status).toBe(202)
    await everywhere('a deleted tag is gone', holders, path, ({ status }) => status === 404)
  })
})

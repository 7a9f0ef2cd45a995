import { cp, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { createClient } from '@libsql/client/sqlite3'
import { expect, it } from 'vitest'
import { atollCli, bytesAt, targetAt } from '../replication/sites.ts'
import { startAtoll } from '../support/atoll.ts'
import { pushImage, randomImage, type TestImage } from '../support/images.ts'
import { Tenant } from '../support/tenant.ts'
import { inStep, pair, status, twoSites } from './pair.ts'

it('a backup of a standby, taken while pushes come in, is a whole registry on an empty machine', async () => {
  await using stack = new AsyncDisposableStack()
  const folder = await mkdtemp(join(tmpdir(), 'atoll-backup-'))
  stack.defer(() => rm(folder, { recursive: true, force: true }))
  const { primary, standby } = stack.use(await twoSites())
  const tenant = new Tenant(primary)
  await tenant.project('team', { public: false })
  const robot = await tenant.robot('ci', 'team')
  const alice = await tenant.user('alice', 'Alice12345')
  await tenant.call('POST', '/api/v2.0/projects/team/members', { role_id: 2, member_user: { username: 'alice' } })
  await pair(primary, standby)
  const before: TestImage[] = []
  for (const tag of ['0', '1', '2']) {
    const image = randomImage()
    await tenant.push('team/app', image, robot, tag)
    before.push(image)
  }
  await inStep(primary, standby)

  // As docs/backups.md says it: the key, the database, then the blobs.
  let writing = true
  const pushes = (async () => {
    for (let n = 0; writing; n++) await tenant.push('team/app', randomImage(), robot, `during-${n}`)
  })()
  const data = join(standby.data, 'data')
  await cp(join(data, 'secret.key'), join(folder, 'secret.key'))
  const client = createClient({ url: pathToFileURL(join(data, 'atoll.db')).href })
  await client.execute({ sql: 'VACUUM INTO ?', args: [join(folder, 'atoll.db')] })
  client.close()
  await cp(join(data, 'blobs', 'blobs'), join(folder, 'blobs', 'blobs'), { recursive: true })
  writing = false
  await pushes
  await primary.kill()
  await standby.kill()

  const restored = stack.use(await startAtoll({ role: 'origin' }))
  await restored.stop()
  const there = join(restored.data, 'data')
  await rm(there, { recursive: true })
  await cp(folder, there, { recursive: true })
  await restored.restart()
  expect(await status(restored)).toMatchObject({ role: 'standby', takes_writes: false })
  await atollCli(restored, 'dr', 'promote')
  await atollCli(restored, 'dr', 'unpair', '--other-is-gone')
  // Every row there is has its bytes.
  const tags = (await (await restored.api('GET', '/v2/team/app/tags/list')).json()) as { tags: string[] }
  expect(tags.tags).toEqual(expect.arrayContaining(['0', '1', '2']))
  for (const tag of tags.tags) {
    const manifest = JSON.parse((await bytesAt(restored, `team/app/manifests/${tag}`)).toString()) as { config: Named; layers: Named[] }
    for (const { digest, size } of [manifest.config, ...manifest.layers])
      expect(await bytesAt(restored, `team/app/blobs/${digest}`)).toHaveLength(size)
  }
  for (const [n, image] of before.entries()) expect(await bytesAt(restored, `team/app/manifests/${n}`)).toEqual(Buffer.from(image.manifest.bytes))
  for (const who of [robot, alice]) {
    const answer = await restored.api('GET', '/service/token?service=atoll&scope=repository:team/app:pull,push', undefined, who)
    expect(answer.status).toBe(200)
  }
  await pushImage(targetAt(restored, 'team/app'), randomImage(), 'after')
}, 180_000)

interface Named {
  readonly digest: string
  readonly size: number
}

import { expect, it } from 'vitest'
import { atollCli, atollJson, bytesAt, pull, targetAt } from '../replication/sites.ts'
import { startAtoll } from '../support/atoll.ts'
import { pushImage, randomImage } from '../support/images.ts'
import { Tenant, tokenAt } from '../support/tenant.ts'
import { until } from '../support/until.ts'
import { inStep, pair, status, twoSites } from './pair.ts'

it('two sites that part go on as origins of their own, with everybody and everything, and can each be one of two again', async () => {
  await using sites = await twoSites()
  const { primary: east, standby: west } = sites
  const tenant = new Tenant(east)
  await tenant.project('team', { public: false })
  const robot = await tenant.robot('ci', 'team')
  await pushImage(targetAt(east, 'team/app'), randomImage(), 'both')
  await using edge = await startAtoll({
    role: 'edge',
    env: { ATOLL_EDGE_ORIGIN_URL: `http://${east.origin}`, ATOLL_EDGE_ENROLMENT_TOKEN: await tenant.enrolmentToken('fra-1') },
  })
  await pair(east, west)
  await inStep(east, west)
  const before = await tokenAt(east.origin, 'repository:team/app:pull', robot)
  const withToken = (host: string) =>
    fetch(`http://${host}/v2/team/app/manifests/both`, { headers: { authorization: `Bearer ${before}`, accept: '*/*' } })
  expect((await withToken(west.origin)).status).toBe(200)

  const said = await atollCli(west, 'dr', 'unpair')
  expect(said.stdout).toContain('go on as origins of their own')
  for (const [site, tag] of [
    [east, 'east'],
    [west, 'west'],
  ] as const) {
    expect(await status(site)).toMatchObject({ role: 'primary', state: 'unpaired', takes_writes: true, problem: null })
    const image = randomImage()
    await new Tenant(site).push('team/app', image, robot, tag)
    expect(await bytesAt(site, `team/app/manifests/${tag}`)).toEqual(Buffer.from(image.manifest.bytes))
    expect((await pull(site, 'team/app/manifests/both')).status).toBe(200)
  }
  expect((await pull(west, 'team/app/manifests/east')).status).toBe(404)
  // What was signed for the pair is good where the edges are, and nowhere else.
  expect((await withToken(east.origin)).status).toBe(200)
  expect((await withToken(west.origin)).status).toBe(401)
  const edges = async (site: typeof east) => ((await (await site.api('GET', '/api/atoll/v1/edges')).json()) as unknown[]).length
  expect([await edges(east), await edges(west)]).toEqual([1, 0])
  await until('the edge serves what is pushed at the primary', async () => {
    const token = await tokenAt(edge.edge, 'repository:team/app:pull', robot)
    return (
      (await fetch(`http://${edge.edge}/v2/team/app/manifests/east`, { headers: { authorization: `Bearer ${token}`, accept: '*/*' } })).status === 200
    )
  })
  expect((await east.cli('dr', 'unpair')).stderr).toContain('This site is not one of a pair')

  // It may have another again; robots made at either of the first two are known there, too.
  const made = await new Tenant(west).robot('cd', 'team')
  await using north = await startAtoll({ role: 'origin' })
  await pair(west, north)
  await inStep(west, north)
  for (const { username, password } of [robot, made]) {
    expect((await north.api('GET', '/service/token?service=atoll&scope=repository:team/app:pull', undefined, { username, password })).status).toBe(
      200,
    )
  }
}, 240_000)

it('a site whose other is lost parts only on the word of somebody who knows, and never as a standby', async () => {
  await using sites = await twoSites()
  const { primary: east, standby: west } = sites
  await pushImage(targetAt(east, 'library/app'), randomImage(), 'one')
  await pair(east, west)
  await inStep(east, west)

  // Set to go on without its standby, a primary that is silent may still take writes.
  await atollCli(east, 'dr', 'set', '--when-standby-is-away', 'continue')
  await until('the standby knows', async () => (await (await west.api('GET', '/api/atoll/v1/dr')).json()).when_standby_is_away === 'continue')
  await east.kill()
  expect((await west.cli('dr', 'unpair')).stderr).toContain('Promote this one first')
  expect((await west.cli('dr', 'promote')).stderr).toContain('promote with --primary-is-gone')
  expect(await status(west)).toMatchObject({ role: 'standby', epoch: 1, takes_writes: false })
  expect(await atollJson(west, 'dr', 'promote', '--primary-is-gone')).toMatchObject({ epoch: 2, handed_over: false })
  await pushImage(targetAt(west, 'library/app'), randomImage(), 'two')

  expect((await west.cli('dr', 'unpair')).stderr).toContain('unpair with --other-is-gone')
  await atollCli(west, 'dr', 'unpair', '--other-is-gone')
  expect(await status(west)).toMatchObject({ role: 'primary', state: 'unpaired', epoch: 2, takes_writes: true })
  await pushImage(targetAt(west, 'library/app'), randomImage(), 'three')
  await west.kill()
  await west.restart()
  for (const tag of ['one', 'two', 'three']) expect((await pull(west, `library/app/manifests/${tag}`)).status).toBe(200)
}, 240_000)

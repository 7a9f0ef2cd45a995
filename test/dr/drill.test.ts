import { readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { atollJson, targetAt } from '../replication/sites.ts'
import { pushImage, randomImage, randomIndex } from '../support/images.ts'
import { inStep, pair, status, twoSites } from './pair.ts'

interface Drilled {
  readonly rto_seconds: number
  readonly rpo_seconds: number
  readonly artifacts: number
  readonly blobs: number
  readonly problems: readonly string[]
}

it('a drill pulls everything from an origin beside the standby, finds what is missing, and leaves no trace', async () => {
  await using sites = await twoSites()
  const { primary, standby } = sites
  const image = randomImage({ layers: [400_000, 10_000] })
  await pushImage(targetAt(primary, 'library/app'), image, 'one')
  await pushImage(targetAt(primary, 'library/app'), randomIndex(['amd64', 'arm64']), 'many')
  await pair(primary, standby)
  await inStep(primary, standby)
  const data = join(standby.data, 'data')
  const before = await readdir(data, { recursive: true })

  const found = await atollJson<Drilled>(standby, 'dr', 'drill')
  process.stdout.write(`drill: RTO ${found.rto_seconds} s with a lease of 10 s, RPO ${found.rpo_seconds} s\n`)
  expect(found).toMatchObject({ artifacts: 2, blobs: 7, problems: [], rpo_seconds: 0 })
  expect(await readdir(data, { recursive: true })).toEqual(before)
  expect(await status(standby)).toMatchObject({ role: 'standby', state: 'following', takes_writes: false })

  // It can fail: a layer is lost behind everybody's back.
  const hex = image.layers[0]?.digest.slice('sha256:'.length) ?? ''
  const [lost] = before.filter((path) => path.includes('blobs') && path.endsWith(hex))
  await rm(join(data, lost ?? 'no such file'))
  const answer = await standby.api('POST', '/api/atoll/v1/dr/drill', { sample: 10 })
  expect(((await answer.json()) as Drilled).problems).toHaveLength(1)
  expect((await standby.cli('dr', 'drill')).code).not.toBe(0)
  expect((await primary.api('POST', '/api/atoll/v1/dr/drill', {})).status).toBe(412)
}, 180_000)

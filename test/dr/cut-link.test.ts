import { randomInt } from 'node:crypto'
import { expect, it } from 'vitest'
import { MIRRORED } from '../../schema/mirror/treatment.ts'
import { Wire } from '../chaos/run/wire.ts'
import { countingProxy } from '../replication/counting-proxy.ts'
import { atollCli, targetAt } from '../replication/sites.ts'
import { startAtoll } from '../support/atoll.ts'
import { pushImage, randomImage } from '../support/images.ts'
import { until } from '../support/until.ts'
import { inStep, pair, status } from './pair.ts'
import { expectSame } from './same.ts'

const CUTS = 20
const LAYER = 16 * 1024 * 1024
/** So slow that little is on its way when the line is cut. */
const BYTES_PER_SECOND = 24 * 1024 * 1024

it(`a standby whose line is cut ${CUTS} times goes on each time where it was: no byte twice, no row twice, and never from the beginning`, async () => {
  await using stack = new AsyncDisposableStack()
  const east = stack.use(await startAtoll({ role: 'origin' }))
  const west = stack.use(await startAtoll({ role: 'origin' }))
  // It counts at the end of the standby: what came over the line.
  const line = stack.use(await Wire.to(east.origin))
  const counted = stack.use(await countingProxy(line.near))
  const pushed: number[] = []
  const push = async (tag: string) => {
    const image = randomImage({ layers: [LAYER, 100_000] })
    await pushImage(targetAt(east, 'library/app'), image, tag)
    pushed.push(...image.blobs.map(({ bytes }) => bytes.length))
  }
  const total = () => pushed.reduce((sum, size) => sum + size, 0)
  /** Cuts when some more has passed. */
  const cutAfter = async (bytes: number) => {
    await counted.passed(counted.pulled + bytes)
    line.cut()
    await counted.idle()
    heal()
  }
  const heal = () => {
    line.heal()
    line.bytesPerSecond = BYTES_PER_SECOND
  }

  // Some of the cuts while it is filled, the others while it follows.
  for (const tag of ['a', 'b', 'c']) await push(tag)
  heal()
  await pair(east, west, { primary: counted.url })
  for (let n = 0; n < CUTS / 2; n++) await cutAfter(randomInt(1, Math.floor(total() / CUTS)))
  await inStep(east, west)
  const asked = counted.requests.filter((request) => request.endsWith('/sites/fill')).length
  // It goes on taking pushes for so long without its standby.
  await atollCli(east, 'dr', 'set', '--lease', '120')
  await until('the longer lease holds', async () => Number((await status(east)).lease_left_seconds) > 60)
  line.cut()
  for (const tag of ['d', 'e', 'f']) await push(tag)
  heal()
  for (let n = 0; n < CUTS / 2; n++) await cutAfter(randomInt(1, Math.floor(total() / 2 / CUTS)))
  await inStep(east, west)

  await expectSame(east, west)
  const gets = counted.requests.filter((request) => request.includes('/sites/blobs/')).length
  process.stdout.write(
    `${CUTS} cuts: ${counted.pulled} bytes moved of ${total()}, ${(counted.pulled / total()).toFixed(4)}; ${asked} questions to fill, ${gets} for ${pushed.length} blobs\n`,
  )
  expect(gets, 'the cuts met something').toBeGreaterThanOrEqual(pushed.length + CUTS)
  expect(counted.pulled).toBeLessThanOrEqual(1.02 * total())
  // One for the beginning, one for each table, and at most one for each cut.
  expect(asked).toBeLessThanOrEqual(1 + MIRRORED.length + CUTS / 2)
  expect(counted.requests.filter((request) => request.endsWith('/sites/fill'))).toHaveLength(asked)
}, 300_000)

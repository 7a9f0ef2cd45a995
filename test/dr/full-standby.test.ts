import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { Wire } from '../chaos/run/wire.ts'
import { atollCli, pull, targetAt } from '../replication/sites.ts'
import { startAtoll } from '../support/atoll.ts'
import { pushImage, randomImage } from '../support/images.ts'
import { fillDisk, smallDisk } from '../support/small-disk.ts'
import { until } from '../support/until.ts'
import { inStep, look, pair } from './pair.ts'
import { expectSame } from './same.ts'

const MIB = 1024 * 1024
const LEASE_SECONDS = 4
const disk = await smallDisk(64)

it.skipIf(disk === undefined)(
  'a primary goes on while its standby is busy with a large layer or has no room for it, and both say at once what is in the way',
  async () => {
    await using small = disk
    if (small === undefined) return
    await using stack = new AsyncDisposableStack()
    const east = stack.use(await startAtoll({ role: 'origin' }))
    const west = stack.use(await startAtoll({ role: 'origin', env: { ATOLL_DATA_VOLUME: join(small.folder, 'data') } }))
    const line = stack.use(await Wire.to(east.origin))
    await pair(east, west, { primary: `http://${line.near}` })
    await atollCli(east, 'dr', 'set', '--lease', String(LEASE_SECONDS))
    await inStep(east, west)
    let pushed = 0
    const push = (...layers: number[]) => pushImage(targetAt(east, 'library/app'), randomImage({ layers }), `t${pushed++}`)
    /** Nothing but a standby that is heard lets the primary do this for longer than its lease. */
    const pushPastLease = async () => {
      const end = performance.now() + 1.5 * LEASE_SECONDS * 1000
      while (performance.now() < end) await push(500)
    }

    // Three leases long.
    line.bytesPerSecond = MIB
    await push(3 * LEASE_SECONDS * MIB)
    await pushPastLease()
    expect(await look(east)).toMatchObject({ takes_writes: true, problem: null })
    line.heal()
    await inStep(east, west)

    const foreign = join(small.folder, 'foreign')
    await fillDisk(foreign)
    await push(MIB)
    for (const site of [west, east]) {
      await until('it says what is in the way', async () => (await look(site)).problem?.includes('no space left') === true)
    }
    await pushPastLease()
    const { takes_writes, problem, rpo_seconds } = await look(east)
    expect({ takes_writes, problem }).toEqual({
      takes_writes: true,
      problem: expect.stringMatching(/^The standby west takes nothing in of what is written here: There is no space left/),
    })
    expect(rpo_seconds).toBeGreaterThan(LEASE_SECONDS)
    expect((await look(west)).rpo_seconds).toBeGreaterThan(LEASE_SECONDS)

    await rm(foreign)
    await inStep(east, west)
    expect((await look(east)).problem).toBeNull()
    expect((await look(west)).problem).toContain('takes no changes')
    expect((await pull(west, `library/app/manifests/t${pushed - 1}`)).status).toBe(200)
    await expectSame(east, { ...west, data: small.folder })
  },
  180_000,
)

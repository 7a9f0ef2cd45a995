import { join } from 'node:path'
import { expect } from 'vitest'
import { pause, systemClock } from '../../../registry/clock.ts'
import { until } from '../../support/until.ts'
import { Clients } from './clients.ts'
import { type Fault, processFaults, SOURCE_FAULTS } from './faults.ts'
import { wrongBlobs } from './node-edge.ts'
import { Random } from './random.ts'
import type { ChaosSettings } from './settings.ts'
import type { Site } from './site.ts'

/** After the last fault, everything there is may be asked for so often before all of it is answered right. */
const ROUNDS_TO_HEAL = 40

export interface RunOptions {
  readonly clients: number
  /** Complete answers that they must have been given amid the faults, so that the run has shown something. */
  readonly right: number
}

/** Torments a site for a while, has clients check every byte meanwhile, and expects it to heal. */
export async function randomRun(site: Site, { seed, seconds }: ChaosSettings, run: RunOptions): Promise<void> {
  const say = (line: string) => process.stdout.write(`${new Date().toISOString()} ${line}\n`)
  say(`ATOLL_CHAOS_SEED=${seed} for ${seconds} s`)
  const clients = new Clients(site)
  expect(await clients.everything(), 'before anything fails').toEqual([])

  const end = AbortSignal.timeout(seconds * 1000)
  await Promise.all([
    torment(site, processFaults(site), new Random(seed, 'processes'), end, say),
    torment(site, SOURCE_FAULTS, new Random(seed, 'sources'), end, say),
    ...Array.from({ length: run.clients }, (_, index) => clients.pull(new Random(seed, `client ${index}`), end)),
  ])
  say(`the faults are over: ${JSON.stringify(clients.counts)}`)
  expect(clients.wrong).toEqual([])

  // What the liar began is verified, or gone, as soon as the whole has been asked for: from then on parts are right, too.
  let failing = await clients.everything()
  site.lying = false
  for (let round = 1; failing.length > 0 && round < ROUNDS_TO_HEAL; round++) {
    await pause(systemClock, 500)
    failing = await clients.everything()
    if (failing.length === 0) say(`healed after ${round} rounds`)
  }
  if (failing.length > 0) say((await site.edge.output()).split('\n').slice(-20).join('\n'))
  expect(failing, 'what is not healed').toEqual([])
  await until('the edge hears its origin', async () => (await edgeState(site)) === 'connected', 60_000)
  expect(await clients.everything(), 'and it stays so').toEqual([])
  expect(clients.wrong).toEqual([])
  expect(await site.edge.wrongBlobs()).toEqual([])
  expect(await wrongBlobs(join(site.origin.data, 'data', 'blobs'))).toEqual([])
  expect(clients.counts.right, 'the clients were given something').toBeGreaterThanOrEqual(run.right)
}

/** One fault after the other until the signal, with some peace between them. The last one is ended, too. */
async function torment(on: Site, faults: readonly Fault[], random: Random, end: AbortSignal, say: (line: string) => void): Promise<void> {
  while (!end.aborted) {
    const fault = random.one(faults)
    const [lasts, peace] = [random.between(100, 6000), random.between(0, 2000)]
    say(`${fault.name}, ${lasts} ms`)
    const heal = await fault.begin(on, random)
    await elapsed(lasts, end)
    await heal()
    await elapsed(peace, end)
  }
}

async function elapsed(ms: number, end: AbortSignal): Promise<void> {
  await pause(systemClock, ms, end).catch(() => {
    if (!end.aborted) throw new Error('a pause ended by itself')
  })
}

async function edgeState(on: Site): Promise<string> {
  const answer = await fetch(`http://${on.edge.edge}/healthz`)
  return ((await answer.json()) as { status?: string }).status ?? ''
}

import { type AtollProcess, startAtoll } from '../support/atoll.ts'
import { type StopPoints, stopPoints } from '../support/stop-points.ts'

/** A site that is killed at steps, and started again. */
export interface MortalSite extends AsyncDisposable {
  readonly atoll: AtollProcess
  readonly points: StopPoints
}

export async function mortalSite(env: Readonly<Record<string, string>> = {}): Promise<MortalSite> {
  const points = await stopPoints()
  const preloaded = [points.env.NODE_OPTIONS, env.NODE_OPTIONS].filter((option) => option !== undefined).join(' ')
  const atoll = await startAtoll({ role: 'origin', env: { ...env, ...points.env, NODE_OPTIONS: preloaded } })
  return {
    atoll,
    points,
    [Symbol.asyncDispose]: async () => {
      await atoll[Symbol.asyncDispose]()
      await points[Symbol.asyncDispose]()
    },
  }
}

/** Where one of the sites dies: the n-th time that it comes to this step. */
export type Kill = readonly [site: MortalSite, step: string, nth?: number]

/** Kills at one step after the other. Each is armed before the site that died last is started again, so that no step gets by. */
export async function killInTurn(kills: readonly Kill[], begin: () => Promise<unknown>): Promise<void> {
  let dead: MortalSite | undefined
  for (const [site, step, nth] of kills) {
    await site.points.arm(step, { nth })
    // It may die before it has answered, or was ready.
    await (dead === undefined ? begin() : dead.atoll.restart()).catch(() => undefined)
    await site.points.met()
    await site.atoll.kill()
    dead = site
  }
  await dead?.atoll.restart()
}

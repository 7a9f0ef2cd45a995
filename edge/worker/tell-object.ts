import type { FeedEntry } from '../../mesh/feed.ts'
import { WARMED_BY_RULE_MS } from '../warm/limits.ts'
import type { Ruled } from '../warm/warm-on-push.ts'
import { askObject, OBJECT_HOST } from './ask-object.ts'
import type { Env } from './env.ts'

/** Where the object of a repository hears what has just been done through this Worker, before the feed tells of it. */
export const TOLD_PATH = '/told'

/** Where the object of a repository is told to fetch an image before anybody asks for it. */
export const WARM_PATH = '/warm'

export interface Told {
  readonly bucket: string
  readonly entries: readonly FeedEntry[]
}

/** Has the object of this repository in this region forget what is no longer so: whoever has pushed sees it at once. */
export async function tellObject(env: Pick<Env, 'FILL'>, bucket: string, repository: string, entries: readonly FeedEntry[]): Promise<void> {
  const stub = env.FILL.get(env.FILL.idFromName(`${bucket} repository ${repository}`))
  const response = await stub.fetch(`https://${OBJECT_HOST}${TOLD_PATH}`, {
    method: 'POST',
    body: JSON.stringify({ bucket, entries } satisfies Told),
  })
  await response.body?.cancel()
}

/** Has the object of this repository fetch what a rule wants to have in this region; resolves when it is there. @throws RegistryError when it does not come */
export async function warmObject(env: Pick<Env, 'FILL'>, bucket: string, what: Ruled): Promise<void> {
  const told = { method: 'POST', body: JSON.stringify(what), signal: AbortSignal.timeout(WARMED_BY_RULE_MS) }
  const response = await askObject({ env, bucket, what: `repository ${what.name}` }, new URL(`https://${OBJECT_HOST}${WARM_PATH}`), told)
  await response.body?.cancel()
}

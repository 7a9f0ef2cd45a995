import type { FeedEntry } from '../../mesh/feed.ts'
import type { Env } from './env.ts'

/** Where the object of a repository hears what has just been done through this Worker, before the feed tells of it. */
export const TOLD_PATH = '/told'

export interface Told {
  readonly bucket: string
  readonly entries: readonly FeedEntry[]
}

/** Has the object of this repository in this region forget what is no longer so: whoever has pushed sees it at once. */
export async function tellObject(env: Pick<Env, 'FILL'>, bucket: string, repository: string, entries: readonly FeedEntry[]): Promise<void> {
  const stub = env.FILL.get(env.FILL.idFromName(`${bucket} repository ${repository}`))
  const response = await stub.fetch(`https://edge.internal${TOLD_PATH}`, { method: 'POST', body: JSON.stringify({ bucket, entries } satisfies Told) })
  await response.body?.cancel()
}

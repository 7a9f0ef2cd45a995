import { RegistryError } from '../../registry/spec/errors.ts'
import type { Standing } from './standing.ts'
import type { AskOptions, SiteTalk } from './talk.ts'

/** Asks the primary of this standby. @throws RegistryError UNAVAILABLE, also when the other site is the primary no more, and its refusal */
export async function askPrimary<Answer>(
  { talk, standing }: { readonly talk: SiteTalk; readonly standing: Standing },
  path: string,
  body: unknown,
  options: AskOptions,
): Promise<Answer> {
  const { peer } = standing
  if (peer === undefined) throw new TypeError('This site has no other.')
  const answer = await talk.ask<Answer>(peer, path, body, options)
  if (answer.epoch < standing.epoch) throw new RegistryError('UNAVAILABLE', 'The other site is in an earlier epoch: it is not the primary any more.')
  if (answer.epoch > standing.epoch) await standing.change((pair) => ({ ...pair, epoch: answer.epoch }))
  return answer.body
}

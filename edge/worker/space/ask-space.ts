import type { Env } from '../env.ts'
import { answerOf } from '../talk.ts'
import { SPACE_ANSWER_MS } from './limits.ts'
import type { About, GrowthAnswer, RoomAnswer, SpaceNews } from './talk.ts'
import type { ToldSpaceOptions } from './told-space.ts'

/** The object that keeps this bucket to its budget. Each question @throws what the object or the way to it fails with */
export function askSpace(env: Pick<Env, 'SPACE'>, bucket: string): ToldSpaceOptions['object'] {
  const ask = async <T>(what: 'news' | 'reserve' | 'grow', question: object): Promise<T> => {
    const response = await env.SPACE.get(env.SPACE.idFromName(bucket)).fetch(`https://space/${what}`, {
      method: 'POST',
      body: JSON.stringify({ ...question, bucket } satisfies About<object>),
      signal: AbortSignal.timeout(SPACE_ANSWER_MS),
    })
    return await answerOf<T>(response)
  }
  return {
    news: async (news: SpaceNews) => {
      await ask('news', news)
    },
    reserve: (question) => ask<RoomAnswer>('reserve', question),
    grow: (question) => ask<GrowthAnswer>('grow', question),
  }
}

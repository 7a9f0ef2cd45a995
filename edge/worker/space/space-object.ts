import { systemClock } from '../../../registry/clock.ts'
import { r2ObjectStore } from '../../../stores/r2-object-store.ts'
import { slicedBlobStore } from '../../../stores/sliced-blob-store.ts'
import { LINK_ANSWER_MS, REPORT_EVERY_MS } from '../../limits.ts'
import { cacheReport } from '../../report.ts'
import { parsePin } from '../../space/pins.ts'
import { bucketOf, budgetOf, type Env, type ObjectState, pinsOf } from '../env.ts'
import { workerLog } from '../log.ts'
import { answerOf, errorResponse } from '../talk.ts'
import { BucketSpace } from './bucket-space.ts'
import { STEP_AGAIN_MS, STEP_MS } from './limits.ts'
import type { About, GrowthAnswer, GrowthQuestion, RoomAnswer, RoomQuestion, SpaceNews } from './talk.ts'

const BUCKET = 'bucket'

/** One in the world for each bucket that has a budget: it knows what the bucket holds and when that was last used, and takes out what must make room. */
export class SpaceObject {
  readonly #state: ObjectState
  readonly #env: Env
  #space: BucketSpace | undefined
  /** What the Link was told last, and when. */
  #told = { text: '', at: Number.NEGATIVE_INFINITY }

  constructor(state: ObjectState, env: Env) {
    this.#state = state
    this.#env = env
  }

  async fetch(request: Request): Promise<Response> {
    try {
      const question = (await request.json()) as About<object>
      const space = await this.#open(question.bucket)
      const answer = await this.#answer(space, new URL(request.url).pathname, question)
      await this.#wakeAt(Math.min(space.due, this.#tell(question.bucket, space)))
      return answer
    } catch (error) {
      return errorResponse(error)
    }
  }

  /** One piece of what there is to do, and the next one soon. */
  async alarm(): Promise<void> {
    const bucket = (await this.#state.storage.get(BUCKET)) as string | undefined
    if (bucket === undefined || budgetOf(this.#env, bucket) === undefined) return
    const space = await this.#open(bucket)
    try {
      await space.step()
      await this.#wakeAt(Math.min(space.due, this.#tell(bucket, space)))
    } catch (error) {
      workerLog().warn({ error, bucket }, 'a bucket could not be kept to its budget now; it is tried again')
      await this.#wakeAt(Date.now() + STEP_AGAIN_MS)
    }
  }

  async #answer(space: BucketSpace, path: string, question: object): Promise<Response> {
    switch (path) {
      case '/news':
        await space.hear(question as SpaceNews)
        return Response.json({})
      case '/reserve': {
        const size = await space.reserve(question as RoomQuestion)
        return Response.json({ ...(size !== undefined && { size }) } satisfies RoomAnswer)
      }
      case '/grow':
        return Response.json({ granted: await space.grow(question as GrowthQuestion) } satisfies GrowthAnswer)
      default:
        return Response.json({ code: 'UNSUPPORTED', message: 'The bucket’s object is not asked this.', status: 404, headers: {} }, { status: 404 })
    }
  }

  async #open(bucket: string): Promise<BucketSpace> {
    if (this.#space !== undefined) return this.#space
    return await this.#state.blockConcurrencyWhile(async () => {
      if (this.#space !== undefined) return this.#space
      const { storage } = this.#state
      const records = r2ObjectStore(bucketOf(this.#env, bucket))
      if ((await storage.get(BUCKET)) !== bucket) await storage.put(BUCKET, bucket)
      this.#space = await BucketSpace.open({
        storage,
        blobs: slicedBlobStore(records),
        records,
        capacity: budgetOf(this.#env, bucket) ?? Number.POSITIVE_INFINITY,
        pins: pinsOf(this.#env).map(parsePin),
        clock: systemClock,
        log: workerLog(),
      })
      return this.#space
    })
  }

  /** Has the Link know how the bucket is, for its report to the origin; when that is to be told again. */
  #tell(bucket: string, space: BucketSpace): number {
    const text = JSON.stringify(cacheReport(bucket, space.status()))
    const now = Date.now()
    if (text === this.#told.text) return Number.POSITIVE_INFINITY
    if (Math.abs(now - this.#told.at) < REPORT_EVERY_MS) return this.#told.at + REPORT_EVERY_MS
    this.#told = { text, at: now }
    const { LINK } = this.#env
    const said = LINK.get(LINK.idFromName('link')).fetch('https://link/cache', {
      method: 'POST',
      body: text,
      signal: AbortSignal.timeout(LINK_ANSWER_MS),
    })
    this.#state.waitUntil(
      said.then(
        async (response) => await answerOf(response),
        (error: unknown) => {
          this.#told.text = ''
          workerLog().warn({ error, bucket }, 'the link could not be told how the bucket is')
        },
      ),
    )
    return Number.POSITIVE_INFINITY
  }

  /** An earlier alarm stays. */
  async #wakeAt(due: number): Promise<void> {
    const next = Math.max(due, Date.now() + STEP_MS)
    const set = await this.#state.storage.getAlarm()
    if (set === null || set > next) await this.#state.storage.setAlarm(next)
  }
}

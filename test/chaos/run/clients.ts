import { isDeepStrictEqual } from 'node:util'
import type { TestBlob } from '../../support/images.ts'
import { sha256 } from '../../support/images.ts'
import { tokenAt } from '../../support/tenant.ts'
import type { Random } from './random.ts'
import type { Site, Subject } from './site.ts'

/** A failure may be answered so; 500 would be ours. */
const FAILURES = new Set([429, 502, 503, 504])
const ACCEPT = 'application/vnd.oci.image.manifest.v1+json'

/** `unverified`: a part that is wrong, of a blob that came from a liar. A part cannot be verified before the whole is here: its reader does that. */
export type Outcome = 'right' | 'refused' | 'broken' | 'left' | 'unverified'

/** One request that a client may make, and what a complete answer must have. */
interface Ask {
  readonly path: string
  readonly method: 'GET' | 'HEAD'
  readonly range?: readonly [number, number]
  /** Bodies that are right, of the whole. */
  readonly right: readonly TestBlob[]
  /** Goes away in the middle. */
  readonly leaves: boolean
  readonly token: 'none' | 'needed' | 'withheld'
}

/** Pulls whatever there is, and checks every byte. What is wrong is written down with the request. */
export class Clients {
  readonly wrong: string[] = []
  readonly counts: Record<Outcome, number> = { right: 0, refused: 0, broken: 0, left: 0, unverified: 0 }
  readonly #site: Site
  #token: string | undefined
  /** Why the last answer was not right. */
  #reason = ''

  constructor(site: Site) {
    this.#site = site
  }

  /** One request after the other until the signal. */
  async pull(random: Random, until: AbortSignal): Promise<void> {
    while (!until.aborted) {
      const outcome = await this.#make(asked(random, this.#site.subjects))
      this.counts[outcome]++
      // Refusals come at once while the edge is away: nobody pulls as fast as that.
      if (outcome === 'refused' || outcome === 'broken') await new Promise((resolve) => setTimeout(resolve, 50))
    }
  }

  /** Everything there is, once: what was not answered right. */
  async everything(): Promise<string[]> {
    const asks = this.#site.subjects.flatMap((subject) =>
      [...subject.tags].flatMap(([tag, images]) => {
        const image = images.at(-1)
        if (image === undefined) return []
        const token = subject.private ? 'needed' : 'none'
        const base = { method: 'GET', leaves: false, token } as const
        const manifests = [tag, image.manifest.digest].map((reference) => ({
          ...base,
          path: `/v2/${subject.repository}/manifests/${reference}`,
          // What a lease says may be older than the last push by design.
          right: reference === tag ? images.map(({ manifest }) => manifest) : [image.manifest],
        }))
        const blobs = image.blobs.map((blob) => ({ ...base, path: `/v2/${subject.repository}/blobs/${blob.digest}`, right: [blob] }))
        const parts = blobs.map((blob) => ({ ...blob, range: [1, 100] as const }))
        return [...manifests, ...blobs, ...parts]
      }),
    )
    const failed: string[] = []
    for (const ask of asks) if ((await this.#make(ask)) !== 'right') failed.push(`${ask.path}: ${this.#reason}`)
    return failed
  }

  async #make(ask: Ask): Promise<Outcome> {
    const leave = new AbortController()
    const late = AbortSignal.timeout(this.#site.edge.answersWithinMs)
    try {
      const token = ask.token === 'needed' ? await this.#login(late) : undefined
      const response = await fetch(`http://${this.#site.edge.edge}${ask.path}`, {
        method: ask.method,
        headers: {
          accept: ACCEPT,
          ...(token !== undefined && { authorization: `Bearer ${token}` }),
          ...(ask.range && { range: `bytes=${ask.range[0]}-${ask.range[1]}` }),
        },
        signal: AbortSignal.any([late, leave.signal]),
      })
      if (ask.leaves && response.ok) {
        await response.body?.getReader().read()
        leave.abort()
        return 'left'
      }
      const body = new Uint8Array(await response.arrayBuffer())
      return this.#judge(ask, response, body)
    } catch (error) {
      if (late.aborted) this.#say(ask, `is still under way after ${this.#site.edge.answersWithinMs} ms`)
      // Refused, or cut before its end: a client sees that it has no answer.
      else if (!(error instanceof Error)) throw error
      this.#reason = String(error instanceof Error ? (error.cause ?? error) : error)
      return 'broken'
    }
  }

  #judge(ask: Ask, response: Response, body: Uint8Array): Outcome {
    const { status } = response
    if (ask.token === 'withheld') {
      if (status !== 401 && !FAILURES.has(status)) this.#say(ask, `answered ${status} to a stranger`)
      return 'refused'
    }
    if (status === 401 && ask.token === 'needed') {
      // While clocks are wrong, tokens are from the future or the past.
      this.#token = undefined
      return 'refused'
    }
    if (!response.ok) {
      this.#reason = `${status} ${new TextDecoder().decode(body.subarray(0, 300))}`
      if (!FAILURES.has(status)) this.#say(ask, `answered ${status}: ${new TextDecoder().decode(body.subarray(0, 300))}`)
      else if (ask.method === 'GET' && !isEnvelope(body)) this.#say(ask, `answered ${status} without the protocol's error`)
      return 'refused'
    }
    const [from, to] = ask.range ?? []
    const partly = status === 206 && from !== undefined && to !== undefined
    if (status !== 200 && !partly) this.#say(ask, `answered ${status}`)
    const named = response.headers.get('docker-content-digest')
    const right = ask.right.some(({ bytes, digest }) => {
      if (named !== null && named !== digest) return false
      if (ask.method === 'HEAD') return response.headers.get('content-length') === String(bytes.length)
      if (partly) return isDeepStrictEqual(Buffer.from(body), Buffer.from(bytes.subarray(from, to + 1)))
      return body.length === bytes.length && sha256(body) === digest
    })
    if (right) return 'right'
    if (partly && this.#site.lying) return 'unverified'
    this.#say(ask, `was answered with ${status}, ${body.length} bytes of ${named}, ${sha256(body)}`)
    return 'broken'
  }

  async #login(signal: AbortSignal): Promise<string> {
    this.#token ??= await Promise.race([tokenAt(this.#site.edge.edge, 'repository:team/app:pull', this.#site.robot), aborted(signal)])
    return this.#token
  }

  #say({ method, path, range }: Ask, what: string): void {
    this.wrong.push(`${new Date().toISOString()} ${method} ${path}${range ? ` ${range.join('-')}` : ''} ${what}`)
  }
}

function asked(random: Random, subjects: readonly Subject[]): Ask {
  const subject = random.one(subjects)
  const stranger = subject.private && random.chance(0.15)
  const token = stranger ? 'withheld' : subject.private ? 'needed' : 'none'
  const [tag, images] = random.one([...subject.tags])
  const image = random.one(images.filter((one) => subject.pushed.has(one)))
  const base = { method: random.chance(0.1) ? 'HEAD' : 'GET', token, leaves: false } as const
  const way = random.fraction()
  const manifests = `/v2/${subject.repository}/manifests`
  if (way < 0.25) return { ...base, path: `${manifests}/${tag}`, right: images.map(({ manifest }) => manifest) }
  if (way < 0.4) return { ...base, path: `${manifests}/${image.manifest.digest}`, right: [image.manifest] }
  const blob = random.one(image.blobs)
  const ask = { ...base, path: `/v2/${subject.repository}/blobs/${blob.digest}`, right: [blob] }
  if (way < 0.75 || base.method === 'HEAD') return ask
  if (way < 0.85) return { ...ask, leaves: true }
  const from = random.between(0, blob.bytes.length - 1)
  return { ...ask, range: [from, random.between(from, Math.min(from + 400_000, blob.bytes.length - 1))] }
}

function isEnvelope(body: Uint8Array): boolean {
  try {
    const { errors } = JSON.parse(new TextDecoder().decode(body)) as { errors?: unknown }
    return Array.isArray(errors) && errors.length > 0
  } catch {
    return false
  }
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason), { once: true }))
}

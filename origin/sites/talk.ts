import { signRequest } from '../../mesh/signing.ts'
import { BadSiteMessage, type SiteCard, type SiteMessage, signSiteMessage, verifySiteMessage } from '../../mesh/sites.ts'
import type { Clock } from '../../registry/clock.ts'
import { RegistryError } from '../../registry/spec/errors.ts'
import type { SiteKeys } from './keys.ts'
import { SITE_ANSWER_BYTES, SITE_ANSWER_MS } from './limits.ts'

export interface TalkOptions {
  readonly fetch: typeof fetch
  readonly clock: Clock
  readonly newId: () => string
  /** Who we are now. */
  readonly self: () => Speaker
}

export interface Speaker {
  readonly id: string
  readonly epoch: number
  readonly keys: SiteKeys
}

/** An answer of the other site, and the epoch that it is in. */
export interface SiteAnswer<Body> {
  readonly epoch: number
  readonly body: Body
}

export interface AskOptions {
  readonly signal?: AbortSignal
  /** For the whole of the answer, in milliseconds. */
  readonly ms?: number
}

/** What a site asks of the other. */
export class SiteTalk {
  readonly #options: TalkOptions
  /** How far the other's clock is ahead of ours, in milliseconds: signatures have a time in them. */
  #offset = 0

  constructor(options: TalkOptions) {
    this.#options = options
  }

  /** @throws RegistryError UNAVAILABLE (no answer, or a wrong one), and the other's refusal with its sentence */
  async ask<Answer>(
    peer: Pick<SiteCard, 'id' | 'url' | 'signing'>,
    path: string,
    body: unknown,
    { signal, ms = SITE_ANSWER_MS }: AskOptions = {},
  ): Promise<SiteAnswer<Answer>> {
    const { newId, self } = this.#options
    for (let again = false; ; again = true) {
      const { id, epoch, keys } = self()
      const nonce = newId()
      const message: SiteMessage<unknown> = { from: id, path, nonce, time: this.#now(), epoch, body }
      const { status, headers, text } = await this.#post(peer.url, path, await signSiteMessage(message, keys.signing), ms, signal)
      if (status === 401 && !again && this.#compare(headers)) continue
      if (status !== 200) throw refusal(status, text, peer.url)
      try {
        const answer = await verifySiteMessage(text, { from: peer.id, path, key: peer.signing, nonce })
        return { epoch: answer.epoch, body: answer.body as Answer }
      } catch (cause) {
        if (!(cause instanceof BadSiteMessage)) throw cause
        throw new RegistryError('UNAVAILABLE', `What answers at ${new URL(peer.url).host} is not the other site of this pair.`, undefined, { cause })
      }
    }
  }

  /** Says something to a site whose keys are not known yet, as whoever this site would become by its answer, and believes that. */
  async introduce({ id, epoch, keys }: Speaker, url: string, path: string, body: unknown): Promise<string> {
    for (let again = false; ; again = true) {
      const message: SiteMessage<unknown> = { from: id, path, nonce: this.#options.newId(), time: this.#now(), epoch, body }
      const { status, headers, text } = await this.#post(url, path, await signSiteMessage(message, keys.signing), SITE_ANSWER_MS)
      if (status === 401 && !again && this.#compare(headers)) continue
      if (status !== 200) throw refusal(status, text, url)
      return text
    }
  }

  /** Bytes of the other site, from `offset` on. The signal ends them. */
  async bytes(peer: Pick<SiteCard, 'url'>, path: string, offset: number, signal: AbortSignal): Promise<Response> {
    for (let again = false; ; again = true) {
      const { id, keys } = this.#options.self()
      const url = address(peer.url, path)
      const proof = await signRequest({ method: 'GET', url: url.href }, { id, key: keys.signing }, this.#now(), this.#options.newId())
      const headers = { Authorization: `Atoll-Site ${proof}`, ...(offset > 0 && { Range: `bytes=${offset}-` }) }
      let response: Response
      try {
        response = await this.#options.fetch(url, { headers, signal, redirect: 'error' })
      } catch (cause) {
        signal.throwIfAborted()
        throw unreachable(peer.url, cause)
      }
      if (response.status !== 401 || again || !this.#compare(response.headers)) return response
      await response.body?.cancel()
    }
  }

  async #post(base: string, path: string, jws: string, ms: number, outer?: AbortSignal): Promise<{ status: number; headers: Headers; text: string }> {
    const late = new AbortController()
    const stop = this.#options.clock.after(ms, () => late.abort(new DOMException('no answer in time', 'TimeoutError')))
    try {
      const signal = outer === undefined ? late.signal : AbortSignal.any([outer, late.signal])
      const headers = { 'Content-Type': 'application/jose' }
      const response = await this.#options.fetch(address(base, path), { method: 'POST', body: jws, headers, signal, redirect: 'error' })
      return { status: response.status, headers: response.headers, text: await readText(response) }
    } catch (cause) {
      outer?.throwIfAborted()
      throw cause instanceof RegistryError ? cause : unreachable(base, cause)
    } finally {
      stop()
    }
  }

  #now(): number {
    return Math.round(this.#options.clock.now() + this.#offset)
  }

  /** Whether the clocks were so far apart that a good signature looked old. From now on they are not. */
  #compare(headers: Headers): boolean {
    const date = Date.parse(headers.get('Date') ?? '')
    if (Number.isNaN(date) || Math.abs(date - this.#now()) < CLOCK_WRONG_MS) return false
    this.#offset = date - this.#options.clock.now()
    return true
  }
}

const CLOCK_WRONG_MS = 10_000

async function readText(response: Response): Promise<string> {
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of response.body ?? []) {
    size += chunk.byteLength
    if (size > SITE_ANSWER_BYTES) throw new RegistryError('UNAVAILABLE', 'The other site sends more at once than any batch holds.')
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}

function address(base: string, path: string): URL {
  const url = new URL(base)
  url.pathname = url.pathname.replace(/\/$/, '') + path
  return url
}

function unreachable(base: string, cause: unknown): RegistryError {
  return new RegistryError('UNAVAILABLE', `The other site cannot be reached at ${new URL(base).host}.`, undefined, { cause })
}

function refusal(status: number, text: string, base: string): RegistryError {
  let sentence = `it answered ${status}`
  try {
    const { errors } = JSON.parse(text) as { errors?: { message?: string }[] }
    sentence = errors?.[0]?.message ?? sentence
  } catch {
    // Something in between answered: its status says enough.
  }
  // Whoever asked here has shown who he is: it is the sites that do not know each other.
  const own = status === 401 || status === 403 ? 412 : status
  return new RegistryError('UNAVAILABLE', `The site at ${new URL(base).host} refused: ${sentence}`, undefined, { status: own })
}

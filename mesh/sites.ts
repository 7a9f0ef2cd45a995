// What the two sites of a pair say to each other. Bodies are compact JWS of SiteMessage, both ways, unless said otherwise.

import type { JWK } from 'jose'
import type { Digest } from '../registry/spec/digests.ts'
import { type SigningKey, signDocument, verifyDocument } from './signing.ts'

const ROOT = '/api/atoll/v1/sites/'

export const SITES = {
  root: ROOT,
  /** POST JoinRequest → JoinAnswer. The one-time token is the credential; the message is signed by the key that it brings. */
  join: `${ROOT}join`,
  /** POST FillRequest → FillAnswer */
  fill: `${ROOT}fill`,
  /** POST LogRequest → LogAnswer: what was written since. It is also how a standby says what it has, and that its primary may go on. */
  log: `${ROOT}log`,
  /** POST BeatRequest → BeatAnswer: a standby that is busy, or has no room, says that it is there. */
  beat: `${ROOT}beat`,
  /** POST {} → StandingAnswer: who do you think you are? */
  standing: `${ROOT}standing`,
  /** POST {} → StepDownAnswer: a standby that is about to take over asks its primary to write no more. */
  stepDown: `${ROOT}step-down`,
  /** POST {} → StandingAnswer: a site that has taken over says so; the epoch of the message is what counts. */
  fence: `${ROOT}fence`,
  /** POST {} → {}: the pair ends, and each goes on as an origin of its own. Said again, it is answered again. */
  part: `${ROOT}part`,
  /** POST QuarantineRequest → QuarantineAnswer */
  quarantine: `${ROOT}quarantine`,
  /** GET, with a proof as edges send it → the bytes. Takes one range. */
  blob: (digest: Digest) => `${ROOT}blobs/${digest}`,
} as const

/** A site as the other knows it. */
export interface SiteCard {
  readonly id: string
  readonly name: string
  readonly url: string
  readonly signing: JWK
  readonly encryption: JWK
}

export interface SiteMessage<Body> {
  /** Of the site that sends it. */
  readonly from: string
  /** The path that it is for; of an answer, that it answers. */
  readonly path: string
  /** New with each request; of an answer, that of the request. */
  readonly nonce: string
  /** By the sender's clock, in milliseconds since the epoch. */
  readonly time: number
  /** The sender's. */
  readonly epoch: number
  readonly body: Body
}

export interface JoinRequest {
  readonly token: string
  readonly site: SiteCard
  /** What its tables are, in short: those of both sites must be the same. */
  readonly tables: string
}

export interface JoinAnswer {
  readonly site: SiteCard
  readonly issuer: string
  readonly away: 'stop' | 'continue'
  readonly leaseMs: number
  /** What the secrets of robots are hashed with there, for us alone (JWE): the site's own key, and those of its peers before. */
  readonly robotKeys: readonly string[]
}

export interface FillRequest {
  /** undefined: begin; what was written before is in the tables, what is written from now on in the log. */
  readonly table?: string | undefined
  readonly after?: readonly (string | number)[] | undefined
  /** What the secrets of robots are hashed with here, when it begins (JWE). */
  readonly robotKey?: string | undefined
}

export interface FillAnswer {
  /** Rows as JSON. */
  readonly rows: readonly string[]
  readonly next?: readonly (string | number)[] | undefined
  /** Where the log is now. */
  readonly head: number
  /** The last id that each table has given. */
  readonly sequences?: Readonly<Record<string, number>> | undefined
}

export interface LogRequest {
  /** The standby has everything up to here, durably. */
  readonly after: number
  /** Of the last answer. See lease.ts. */
  readonly beat?: string | undefined
  /** It has all that there was when it began, and could take over. */
  readonly whole: boolean
  /** Why it took nothing in of what it was given last, for people. */
  readonly stuck?: string | undefined
}

export type BeatRequest = Pick<LogRequest, 'beat' | 'stuck'>

export type BeatAnswer = Pick<LogAnswer, 'head' | 'behindMs' | 'beat' | 'leaseMs'>

export interface LogAnswer {
  /** The log no longer has what follows: everything must be taken over anew. */
  readonly hole?: boolean
  readonly entries: readonly { readonly kind: 'put' | 'gone'; readonly name: string; readonly row: string }[]
  readonly upto: number
  readonly head: number
  /** How old the oldest change is that this answer does not bring, in milliseconds. */
  readonly behindMs: number
  readonly beat: string
  readonly leaseMs: number
  readonly away: 'stop' | 'continue'
  /** From now on the primary writes nothing without this standby's word: it may take over when it has waited. */
  readonly guarded: boolean
}

export interface StandingAnswer {
  readonly role: 'primary' | 'standby' | 'fenced'
  /** At a site that took over: where the log of the one before stood. What is after that, only that one has. */
  readonly tookOverAt?: number | undefined
}

export interface StepDownAnswer {
  /** Where the log ended: nothing is written after it. */
  readonly head: number
}

export interface QuarantineRequest {
  /** The repository as it was called. */
  readonly repository: string
}

export interface QuarantineAnswer {
  /** What it is called in quarantine. */
  readonly repository: string
  /** Good for pushing there. */
  readonly token: string
}

/** How old a message may be, and how far two clocks may be apart besides, in milliseconds. */
export const MESSAGE_WINDOW_MS = 60_000

/** What is wrong with a message. `late`: the clocks differ, and signing it again by the receiver's may help. */
export class BadSiteMessage extends Error {
  override readonly name = 'BadSiteMessage'
  readonly late: boolean

  constructor(message: string, { late = false, cause }: { readonly late?: boolean; readonly cause?: unknown } = {}) {
    super(message, { cause })
    this.late = late
  }
}

export async function signSiteMessage<Body>(message: SiteMessage<Body>, key: SigningKey): Promise<string> {
  return await signDocument('atoll-site+jws', message, key)
}

/** @throws BadSiteMessage */
export async function verifySiteMessage(
  jws: string,
  expected: { readonly from: string; readonly path: string; readonly key: JWK; readonly nonce?: string; readonly now?: number },
): Promise<SiteMessage<unknown>> {
  let message: SiteMessage<unknown>
  try {
    message = await verifyDocument<SiteMessage<unknown>>('atoll-site+jws', jws, { keys: [expected.key] })
  } catch (cause) {
    throw new BadSiteMessage('The message is not signed by the site that it should be from.', { cause })
  }
  if (message.from !== expected.from || message.path !== expected.path)
    throw new BadSiteMessage('The message is from another site, or for something else.')
  if (typeof message.nonce !== 'string' || !Number.isSafeInteger(message.epoch)) throw new BadSiteMessage('The message lacks its nonce or its epoch.')
  if (expected.nonce !== undefined && message.nonce !== expected.nonce) throw new BadSiteMessage('The message answers another question.')
  if (expected.now !== undefined && !(Math.abs(expected.now - message.time) <= MESSAGE_WINDOW_MS))
    throw new BadSiteMessage('The message is too old, or the clocks differ.', { late: true })
  return message
}

import { steady } from '../clock.ts'
import { RegistryError } from '../spec/errors.ts'
import type { RepositoryName } from '../spec/names.ts'
import { RemoteRegistry, type RemoteRegistryOptions } from './remote-registry.ts'

/** What an account may do, as far as that can be seen without leaving a trace. */
export type Right = 'allowed' | 'denied' | 'unknown'

export interface ProbeRights {
  /** List repositories. */
  readonly list: Right
  /** Of the repository that was named. */
  readonly pull: Right
  readonly push: Right
}

/** The steps on the way to a registry; the first that fails is told. */
export type ProbeStep = 'DNS' | 'connection' | 'TLS' | 'login' | 'rights' | 'answer'

export type ProbeResult =
  | { readonly ok: true; readonly rights: ProbeRights; readonly notes: readonly string[] }
  /** `message` begins with the step, names the host and what to do, and never the credential. */
  | { readonly ok: false; readonly step: ProbeStep; readonly message: string; readonly cause: unknown }

export interface ProbeOptions extends Omit<RemoteRegistryOptions, 'limits'> {
  /** For all of it, in milliseconds. */
  readonly timeMs: number
  /** A repository whose rights are looked at: an upload is begun there and called off. */
  readonly repository?: RepositoryName | undefined
  readonly signal?: AbortSignal | undefined
}

/** Looks whether a registry is there, takes the credential, and what that may do. @throws the signal's reason */
export async function probe({ timeMs, repository, signal, ...options }: ProbeOptions): Promise<ProbeResult> {
  const { clock, url } = options
  const deadline = new AbortController()
  const stop = clock.after(timeMs, () => deadline.abort())
  const both = signal === undefined ? deadline.signal : AbortSignal.any([signal, deadline.signal])
  const began = steady(clock)
  try {
    const remote = await unlessOver(RemoteRegistry.open({ ...options, limits: { attempts: 1, firstByteMs: timeMs } }, both), both)
    await unlessOver(remote.ping(both), both)
    const rights = await unlessOver(rightsOf(remote, repository, both), both)
    return judged(rights, remote.url, repository)
  } catch (cause) {
    signal?.throwIfAborted()
    if (deadline.signal.aborted || steady(clock) - began >= timeMs) {
      return { ok: false, step: 'connection', message: `connection: ${url.host} gave no answer in ${timeMs / 1000} seconds.`, cause }
    }
    return { ok: false, ...explain(cause, url), cause }
  } finally {
    stop()
  }
}

function judged(rights: ProbeRights, { host }: URL, repository: RepositoryName | undefined): ProbeResult {
  const { list, pull, push } = rights
  if (repository !== undefined && pull === 'denied' && push === 'denied') {
    const message = `rights: login works, but at ${host} the account may neither pull from ${repository} nor push to it.`
    return { ok: false, step: 'rights', message, cause: undefined }
  }
  const notes: string[] = []
  if (list === 'denied') notes.push(`login works, but the account may not list repositories at ${host}: rules must name those they mean.`)
  if (list === 'unknown') notes.push(`${host} does not list its repositories: rules must name those they mean.`)
  if (push === 'denied') notes.push(`login works, but the account may not push to ${repository} at ${host}.`)
  if (pull === 'denied') notes.push(`login works, but the account may not pull from ${repository} at ${host}.`)
  return { ok: true, rights, notes }
}

async function rightsOf(remote: RemoteRegistry, repository: RepositoryName | undefined, signal: AbortSignal): Promise<ProbeRights> {
  const registry = remote.with(signal)
  const list = await right(async () => void (await registry.repositories({ limit: 1 })))
  if (repository === undefined) return { list, pull: 'unknown', push: 'unknown' }
  const { tags, uploads } = registry.repository(repository)
  const pull = await right(async () => void (await tags.list({ limit: 1 })))
  const push = await right(async () => {
    const { id } = await uploads.begin()
    // What may be pushed to is told by now; a registry that keeps an empty upload throws it away by itself.
    await uploads.cancel(id).catch(() => false)
  })
  return { list, pull, push }
}

async function right(attempt: () => Promise<void>): Promise<Right> {
  try {
    await attempt()
    return 'allowed'
  } catch (error) {
    if (!(error instanceof RegistryError)) throw error
    if (error.code === 'DENIED' || error.code === 'UNAUTHORIZED') return 'denied'
    // It does not know this, or not in a way that we understand: that says nothing of the account.
    if (error.code === 'UNAVAILABLE') throw error
    return 'unknown'
  }
}

const DNS_CODES: readonly string[] = ['ENOTFOUND', 'EAI_AGAIN', 'EAI_NODATA', 'EAI_NONAME']
const CONNECTION_CODES: readonly string[] = [
  'ECONNREFUSED',
  'ECONNRESET',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ETIMEDOUT',
  'UND_ERR_CONNECT_TIMEOUT',
  'UND_ERR_SOCKET',
]

/** What a fetch says of a port that it never asks ("port blocking" in the Fetch standard); there is no code for it. */
const BAD_PORT = 'bad port'

/** Which of the steps on the way failed, for a person. */
export function explain(error: unknown, url: URL): { readonly step: ProbeStep; readonly message: string } {
  const say = (step: ProbeStep, message: string) => ({ step, message: `${step}: ${message}` })
  const { code, last } = causeOf(error)
  // Token services are other hosts at times: the error knows which one it was.
  const host = hostOf(error) ?? url.host
  if (last instanceof Error && last.name === 'PrivateAddress') return say('connection', last.message)
  if (code !== undefined && DNS_CODES.includes(code)) return say('DNS', `there is no host ${host.replace(/:\d+$/, '')} (${code}).`)
  if (code !== undefined && CONNECTION_CODES.includes(code)) return say('connection', `${host} does not take connections (${code}).`)
  if (code === 'ERR_SSL_WRONG_VERSION_NUMBER' || code === 'EPROTO') {
    return say('TLS', `${host} does not speak TLS here (${code}); if it is http:// that is meant, write so.`)
  }
  if (code !== undefined && /CERT|SIGNATURE|ERR_TLS|ERR_SSL/.test(code)) {
    return say('TLS', `the certificate of ${host} is not trusted (${code}); give its CA certificate, or do not verify it.`)
  }
  if (error instanceof RegistryError && (error.code === 'DENIED' || error.code === 'UNAUTHORIZED')) {
    return say('login', error.message)
  }
  if (last instanceof Error && last.message === BAD_PORT)
    return say('connection', `no request is sent to ${host}: its port is one of those that the Fetch standard keeps for other protocols.`)
  if (last instanceof Error && last.name === 'HTTPParserError') return say('answer', `what answers at ${host} does not speak HTTP.`)
  if (error instanceof RegistryError) return say('answer', error.message)
  return say('connection', `${host} could not be asked.`)
}

/** The code of the deepest cause: what the runtime or the resolver said. */
function causeOf(error: unknown): { readonly code: string | undefined; readonly last: unknown } {
  let code: string | undefined
  let last = error
  let current = error
  for (let depth = 0; depth < 10 && current instanceof Error; depth++) {
    last = current
    if (!(current instanceof RegistryError) && 'code' in current && typeof current.code === 'string') code = current.code
    current = current instanceof AggregateError ? (current.errors[0] ?? current.cause) : current.cause
  }
  return { code, last }
}

function hostOf(error: unknown): string | undefined {
  const detail = error instanceof RegistryError ? error.detail : undefined
  const upstream = typeof detail === 'object' && detail !== null && 'upstream' in detail ? detail.upstream : undefined
  return typeof upstream === 'string' ? upstream : undefined
}

/** What is shared by many callers, as a token, goes on by itself; this caller's time is over all the same. */
function unlessOver<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const over = () => reject(signal.reason)
    if (signal.aborted) over()
    signal.addEventListener('abort', over, { once: true })
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', over))
  })
}

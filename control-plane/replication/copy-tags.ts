import { copy } from '../../registry/copy/copy.ts'
import type { CopyOptions, CopyReport, ResumeStore } from '../../registry/copy/options.ts'
import { settleTag } from '../../registry/copy/settle.ts'
import { Together } from '../../registry/copy/together.ts'
import type { Digest } from '../../registry/spec/digests.ts'
import { RegistryError } from '../../registry/spec/errors.ts'
import type { Tag } from '../../registry/spec/names.ts'
import { ruleIdOf } from '../../registry/versions/version.ts'
import type { Database } from '../../schema/database.ts'
import { findTransfer, forgetTransfer, rememberTransfer } from '../../schema/transfers.ts'
import { CHUNK_BYTES, MOVES_LIMIT, REQUESTS_OF_A_TASK, STREAMS_OF_A_TASK, TAGS_AT_ONCE } from '../limits.ts'
import { statusOf } from './advice.ts'
import { deltaBetween } from './bases.ts'
import { besideAt } from './beside.ts'
import { deleteTag } from './delete-tags.ts'
import { delivered, hasDelivered, isDelivered, mountSources, wereDelivered } from './deliveries.ts'
import { meetings, refuseMeeting } from './meeting.ts'
import { platformsOf } from './platforms.ts'
import { Progress } from './progress.ts'
import { actsByItself, said, stays } from './settled.ts'
import type { CopyWork, Work } from './work.ts'

/**
 * Copies the tags of a task. What is wrong with one artifact keeps no other from being copied; the first such error is thrown in the end.
 * What is wrong with a site is thrown at once.
 */
export async function copyTags(work: Work): Promise<void> {
  const { payload, destination, signal } = work
  const prepare = async () => {
    await destination.prepare(payload.destination, signal)
    work.onStep?.('project prepared')
  }
  // Where we have delivered something, there was room for it.
  const isKnown = await hasDelivered(work)
  if (!isKnown) await prepare()
  try {
    await copyAll(work, isKnown)
  } catch (error) {
    signal.throwIfAborted()
    if (!isKnown || !mayLackRoom(error)) throw error
    await prepare()
    await copyAll(work, isKnown)
  }
}

/** Some at once, begun in their order. */
async function copyAll(work: Work, isKnown: boolean): Promise<void> {
  const { payload, policy, task } = work
  const ending = new AbortController()
  const signal = AbortSignal.any([work.signal, ending.signal])
  const together = new Together({ requests: REQUESTS_OF_A_TASK, streams: STREAMS_OF_A_TASK })
  const all: CopyWork = {
    ...work,
    signal,
    together,
    mayHaveBases: isKnown || policy.destinationEndpointId === null,
    platforms: platformsOf(policy.filters),
    met: await meetings(work),
  }
  const rest = payload.tags.values()
  let failure: RegistryError | undefined
  const worker = async () => {
    for (const tag of rest) {
      if (signal.aborted) return
      const progress = new Progress(task)
      try {
        const digest = await copyTag(all, tag, progress)
        // Whoever verifies a copy looks for what is beside it.
        for (const beside of digest === undefined ? [] : await besideAt(all, digest)) await copyTag(all, beside, progress)
      } catch (error) {
        if (signal.aborted) return
        const place = together.places.of(error)
        task.failure(error, `${payload.repository}:${tag}${place === undefined ? '' : `, ${place}`}: `)
        if (isOfOneArtifact(error)) failure ??= error
        else ending.abort(error)
      }
    }
  }
  await Promise.all(Array.from({ length: Math.min(TAGS_AT_ONCE, payload.tags.length) }, worker))
  signal.throwIfAborted()
  if (failure) throw failure
}

const WORTH_A_WARNING: ReadonlySet<string> = new Set(['kept', 'came by this rule', 'came by too many rules'])

/**
 * Two tasks may copy one tag at once: whichever ends last leaves at the destination what the source has then. Resolves with what the tag is at
 * both ends; undefined: they differ, and should.
 */
async function copyTag(work: CopyWork, tag: Tag, progress: Progress): Promise<Digest | undefined> {
  const { payload, policy, source, task, signal, met } = work
  const other = met.get(tag)
  if (other !== undefined) await refuseMeeting(work, tag, other)
  const { manifests } = source.open(signal, 'system').repository(payload.repository)
  for (let move = 0; move < MOVES_LIMIT; move++) {
    const digest = await copyOnce(work, tag, progress)
    if (digest === undefined || !progress.tagged) return digest
    const now = (await manifests.stat({ tag }))?.descriptor.digest
    if (now === digest) return digest
    if (now === undefined) {
      // Whoever deleted it may have been here before us.
      if (policy.trigger === 'event_based' && policy.replicateDeletion) await deleteTag(work, tag)
      return undefined
    }
    task.line('INFO', `${payload.repository}:${tag} has become ${now} meanwhile.`)
  }
  task.line('WARNING', `${payload.repository}:${tag} moves faster than it can be copied: what it is now comes with the next execution.`)
  return undefined
}

/** What the tag is at both ends. undefined: the destination has a newer one, or what told of the tag is older than its deletion. */
async function copyOnce(work: CopyWork, tag: Tag, progress: Progress): Promise<Digest | undefined> {
  const { db, payload, policy, source, destination, pace, task, signal, clock, createHasher, fetch, together, platforms } = work
  const actor = `replication:${policy.id}`
  const { onWait } = work
  const from = source.open(signal, actor, { onWait }).repository(payload.repository)
  const to = destination.open(signal, actor, { pushes: true, onWait }).repository(payload.destination)
  progress.begin()
  const options: CopyOptions = {
    createHasher,
    clock,
    fetch: (url, init) => fetch(url, init),
    override: policy.override,
    rule: ruleIdOf(db.site, policy.id),
    referrers: true,
    together,
    ...(policy.sourceEndpointId === null && {
      whatIsWhole: async (at: Tag, digest: Digest) => ((await isDelivered(work, at, digest)) ? await from.manifests.get({ digest }) : undefined),
    }),
    ...(platforms && { platforms: platforms.wants }),
    isAllThere: (digest, referrers) => wereDelivered(work, tag, digest, referrers),
    resume: resumeAt(db, destination.key),
    mountFrom: (digest) => mountSources(work, digest),
    ...deltaBetween(work, to.blobs, actor),
    ...(policy.copyByChunk && { chunkBytes: CHUNK_BYTES }),
    pace,
    onProgress: (event) => progress.see(event),
    onMoved: (bytes) => progress.moved(bytes),
    onStep: work.onStep,
    signal,
  }
  let report: CopyReport
  try {
    const settled = actsByItself(policy) ? await settleTag(from, to, tag, tag, options) : undefined
    if (settled?.outcome === 'same') await delivered(work, tag, settled.report)
    if (settled !== undefined && settled.outcome !== 'set') {
      task.line(WORTH_A_WARNING.has(settled.outcome) ? 'WARNING' : 'INFO', `${payload.destination}:${tag} ${said(settled)}.`)
      return settled.outcome === 'same' ? settled.report.digest : undefined
    }
    report = settled?.report ?? (await copy(from, to, { tag }, options))
  } catch (error) {
    signal.throwIfAborted()
    const isGone = error instanceof RegistryError && error.code === 'MANIFEST_UNKNOWN' && policy.trigger === 'event_based'
    if (!isGone || (await from.manifests.stat({ tag }))) throw error
    task.line('INFO', `${payload.repository}:${tag} was deleted meanwhile.`)
    return undefined
  }
  const [kept] = report.kept
  if (kept !== undefined) {
    task.line('WARNING', `${payload.destination}:${tag} ${stays(kept.digest)}.`)
    return undefined
  }
  await delivered(work, tag, report)
  work.onStep?.('delivery recorded')
  task.line(
    'INFO',
    `${payload.destination}:${tag} is ${report.digest}: ${report.copied} copied, ${report.skipped} there already, ${report.bytes} bytes moved${report.reused > 0 ? `, ${report.reused} taken from blobs that were there` : ''}.`,
  )
  return report.digest
}

/** As a registry answers where there is no such project. */
function mayLackRoom(error: unknown): boolean {
  if (!(error instanceof RegistryError)) return false
  const status = statusOf(error)
  return error.code === 'NAME_UNKNOWN' || status === 401 || status === 403 || status === 404
}

/** Nothing that would meet the next tag as well: it is missing something, or is not let in. A login that is refused would meet it. */
function isOfOneArtifact(error: unknown): error is RegistryError {
  if (!(error instanceof RegistryError)) return false
  if (error.code === 'DENIED') return statusOf(error) === undefined || statusOf(error) === 412
  return error.status < 500 && error.code !== 'TOOMANYREQUESTS' && error.code !== 'UNAUTHORIZED' && error.code !== 'NAME_UNKNOWN'
}

function resumeAt(db: Database, destination: string): ResumeStore {
  return {
    get: ({ repository, digest }) => findTransfer(db, { destination, repository, digest }),
    put: ({ repository, digest }, id) => rememberTransfer(db, { destination, repository, digest }, id),
    delete: ({ repository, digest }) => forgetTransfer(db, { destination, repository, digest }),
  }
}

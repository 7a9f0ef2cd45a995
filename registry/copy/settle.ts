// Tags between two sites that both keep versions: what is newer goes, what is older stays away (docs/decisions/0049-both-ways.md).

import type { Manifest, Repository } from '../registry.ts'
import type { Digest } from '../spec/digests.ts'
import type { Tag } from '../spec/names.ts'
import { compare, type Dot, inConflict, type TagState, VIA_LIMIT } from '../versions/version.ts'
import { copy, copyReferrers } from './copy.ts'
import type { CopyOptions, CopyReport } from './options.ts'

/** What became of a tag at the destination. */
export type Settled =
  /** It is what the source has, now or already. */
  | { readonly outcome: 'set'; readonly report: CopyReport }
  | { readonly outcome: 'same'; readonly report: CopyReport }
  | { readonly outcome: 'deleted' }
  /** This rule has carried it already, under another name; or too many have. */
  | { readonly outcome: 'came by this rule' | 'came by too many rules' }
  /** It is another artifact at the destination, and `override` is off. */
  | { readonly outcome: 'kept'; readonly there: Digest }
  /** The destination has a newer one, set at another site or there. */
  | { readonly outcome: 'newer there'; readonly version: Dot }
  /** The source has changed its mind since: what it has now is for whoever was told of that. */
  | { readonly outcome: 'deleted meanwhile' | 'set meanwhile' | 'forgotten' }

/**
 * Copies one tag as of the version that the source has, with all that it refers to, unless the destination has one as new.
 * undefined: one of the two keeps no versions, or not for us; `copy` it then. @throws as `copy` does
 */
export async function settleTag(source: Repository, destination: Repository, tag: Tag, to: Tag, options: CopyOptions): Promise<Settled | undefined> {
  const [mine, theirs] = await statesOf(source, destination, tag, to)
  if (mine === undefined || theirs === undefined) return undefined
  if (mine.state?.digest === undefined) return { outcome: 'deleted meanwhile' }
  const { state } = mine
  const { digest } = mine.state
  const { rule } = options
  const { via = [] } = state.version
  const renamed = rule !== undefined && source.name !== destination.name
  if (renamed && via.includes(rule)) return { outcome: 'came by this rule' }
  if (renamed && via.length >= VIA_LIMIT) return { outcome: 'came by too many rules' }
  const version = renamed ? { ...state.version, via: [...via, rule] } : state.version
  const relation = theirs.state === undefined ? 'newer' : compare(state, theirs.state)
  if (relation === 'same') {
    // Whoever signs an artifact does not move its tag.
    const head = await source.manifests.stat({ digest })
    if (head === undefined) return { outcome: 'deleted meanwhile' }
    return { outcome: 'same', report: await copyReferrers(source, destination, head.descriptor, options) }
  }
  if (theirs.state !== undefined) await noticeBoth(source, destination, tag, to, state, theirs.state)
  if (relation === 'older' && theirs.state !== undefined) return { outcome: 'newer there', version: theirs.state.version.dot }
  const present = theirs.state?.digest
  if (options.override === false && present !== undefined && present !== digest) return { outcome: 'kept', there: present }
  let standing: Dot | undefined
  const putLast = async ({ bytes, descriptor }: Manifest) => {
    standing = await theirs.versions.put({ bytes, mediaType: descriptor.mediaType, digest }, to, version)
    options.onStep?.('tag put')
  }
  // The tag comes last and decides.
  const report = await copy(source, destination, { digest }, { ...options, tags: [], putLast })
  if (standing !== undefined && standing !== state.version.dot) return { outcome: 'newer there', version: standing }
  options.onProgress?.({ kind: 'tag', step: 'done', tag: to, digest })
  return { outcome: 'set', report }
}

/** The same for a tag that the source has deleted. Nothing is deleted that has been pushed again since. */
export async function settleDeletion(source: Repository, destination: Repository, tag: Tag, to: Tag): Promise<Settled | undefined> {
  const [mine, theirs] = await statesOf(source, destination, tag, to)
  if (mine === undefined || theirs === undefined) return undefined
  // Its tombstone has aged out: nobody can say any more whether what is there now is newer.
  if (mine.state === undefined) return { outcome: 'forgotten' }
  if (mine.state.digest !== undefined) return { outcome: 'set meanwhile' }
  const { state } = mine
  if (theirs.state !== undefined) {
    const relation = compare(state, theirs.state)
    if (relation === 'same') return { outcome: 'deleted' }
    await noticeBoth(source, destination, tag, to, state, theirs.state)
    if (relation === 'older') return { outcome: 'newer there', version: theirs.state.version.dot }
  }
  const standing = await theirs.versions.delete(to, state.version)
  return standing === state.version.dot ? { outcome: 'deleted' } : { outcome: 'newer there', version: standing }
}

async function statesOf(source: Repository, destination: Repository, tag: Tag, to: Tag) {
  const known = async ({ versions }: Repository, name: Tag) => {
    const state = await versions?.state(name)
    return versions === undefined || state === false ? undefined : { versions, state }
  }
  const mine = await known(source, tag)
  return [mine, mine && (await known(destination, to))] as const
}

/** Either end that keeps an audit log tells of a conflict, whichever of the two wins. */
async function noticeBoth(source: Repository, destination: Repository, tag: Tag, to: Tag, mine: TagState, theirs: TagState): Promise<void> {
  if (!inConflict(mine, theirs)) return
  await source.versions?.notice?.(tag, theirs)
  await destination.versions?.notice?.(to, mine)
}

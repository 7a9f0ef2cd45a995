// Versions of tags on the wire: one header for the version, one for what had been seen before it, one for how it came.

import { RegistryError } from '../spec/errors.ts'
import { CONTEXT_LIMIT, type Dot, dotsText, isDot, parseDots, parseVia, type TagVersion, viaText } from './version.ts'

/** In a request: the version of the tag that is set or deleted, or `*`: tell me the one you have. In an answer: the one that stands. */
export const VERSION_HEADER = 'Atoll-Tag-Version'
export const CONTEXT_HEADER = 'Atoll-Tag-Context'
/** The rules by which it came under another name. */
export const VIA_HEADER = 'Atoll-Tag-Via'
/** Of a request that only asks. */
export const ANY = '*'
/** Of an answer: versions are kept here, and of this tag nothing is known. */
export const NONE = 'none'

type Headers = Pick<globalThis.Headers, 'get'>

/** undefined: there is no version in it. @throws RegistryError TAG_INVALID */
export function readVersion(headers: Headers): TagVersion | undefined {
  const dot = headers.get(VERSION_HEADER)
  if (dot === null || dot === ANY || dot === NONE) return undefined
  const context = parseDots(headers.get(CONTEXT_HEADER) ?? '', CONTEXT_LIMIT)
  const via = parseVia(headers.get(VIA_HEADER) ?? '')
  if (isDot(dot) && context !== undefined && via !== undefined) return { dot, context, ...via }
  throw new RegistryError('TAG_INVALID', `${VERSION_HEADER}, ${CONTEXT_HEADER} or ${VIA_HEADER} is not what an Atoll of this version sends.`)
}

export function versionHeaders({ dot, context, via = [] }: TagVersion): Record<string, string> {
  return {
    [VERSION_HEADER]: dot,
    ...(context.length > 0 && { [CONTEXT_HEADER]: dotsText(context) }),
    ...(via.length > 0 && { [VIA_HEADER]: viaText(via) }),
  }
}

/** What stands after a request to set or delete a tag. */
export function standingHeader(dot: Dot): Record<string, string> {
  return { [VERSION_HEADER]: dot }
}

/** undefined: whoever answered keeps no versions, or not for us. */
export function readStanding(headers: Headers): Dot | undefined {
  const dot = headers.get(VERSION_HEADER)
  return dot !== null && isDot(dot) ? dot : undefined
}

import { type Digest, parseDigest } from './digests.ts'
import { RegistryError } from './errors.ts'

/** A checked repository name: lower-case path components joined by `/`, at most 255 characters. */
export type RepositoryName = string & { readonly __brand: 'RepositoryName' }

/** A checked tag: at most 128 characters of `[A-Za-z0-9_.-]`, the first one no `.` or `-`. */
export type Tag = string & { readonly __brand: 'Tag' }

/** What names a manifest inside a repository. */
export type Reference = { readonly digest: Digest; readonly tag?: never } | { readonly tag: Tag; readonly digest?: never }

const COMPONENT = '[a-z0-9]+(?:(?:\\.|_|__|-+)[a-z0-9]+)*'
const NAME = new RegExp(`^${COMPONENT}(?:/${COMPONENT})*$`)
const TAG = /^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$/
const NAME_LIMIT = 255

/** distribution-spec, "Pulling manifests". @throws RegistryError NAME_INVALID */
export function parseRepositoryName(text: string): RepositoryName {
  if (!isRepositoryName(text)) {
    throw new RegistryError(
      'NAME_INVALID',
      'A repository name is lower-case letters, digits and single separators (. _ __ -) in components joined by /, 255 characters at most.',
      { name: text.slice(0, 300) },
    )
  }
  return text
}

export function isRepositoryName(text: string): text is RepositoryName {
  return text.length <= NAME_LIMIT && NAME.test(text)
}

/** @throws RegistryError TAG_INVALID */
export function parseTag(text: string): Tag {
  if (!isTag(text)) {
    throw new RegistryError('TAG_INVALID', 'A tag is up to 128 letters, digits, underscores, dots and dashes, and begins with none of . and -.', {
      tag: text.slice(0, 200),
    })
  }
  return text
}

export function isTag(text: string): text is Tag {
  return TAG.test(text)
}

/** A tag or a digest. What holds a colon can only be meant as a digest. @throws RegistryError DIGEST_INVALID, TAG_INVALID */
export function parseReference(text: string): Reference {
  return text.includes(':') ? { digest: parseDigest(text) } : { tag: parseTag(text) }
}

export function referenceText(reference: Reference): string {
  return reference.digest ?? reference.tag
}

/** The first component of a repository's name is its project; the rest is the repository inside it. */
export function splitProject(name: RepositoryName): { project: string; rest: string } {
  const slash = name.indexOf('/')
  return slash < 0 ? { project: name, rest: '' } : { project: name.slice(0, slash), rest: name.slice(slash + 1) }
}

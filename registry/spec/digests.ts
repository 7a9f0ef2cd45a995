import { RegistryError } from './errors.ts'

/** The hash functions of the specification that Atoll accepts (image-spec, descriptor.md, "Registered algorithms"). */
export type DigestAlgorithm = 'sha256' | 'sha512'

/** `algorithm:lowercase-hex`, checked: it can be used as a path or a key without a second look. */
export type Digest = `${DigestAlgorithm}:${string}` & { readonly __brand: 'Digest' }

const PATTERN = /^(?:sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})$/

/** @throws RegistryError DIGEST_INVALID */
export function parseDigest(text: string): Digest {
  if (!isDigest(text)) {
    throw new RegistryError('DIGEST_INVALID', 'A digest is sha256: followed by 64, or sha512: followed by 128, lower-case hexadecimal digits.', {
      digest: text.slice(0, 200),
    })
  }
  return text
}

export function isDigest(text: string): text is Digest {
  return PATTERN.test(text)
}

export function algorithmOf(digest: Digest): DigestAlgorithm {
  return digest.startsWith('sha512:') ? 'sha512' : 'sha256'
}

/** The hexadecimal half of a digest. */
export function hexOf(digest: Digest): string {
  return digest.slice(7)
}

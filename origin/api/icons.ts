import { createHash } from 'node:crypto'
import type { Digest } from '../../registry/spec/digests.ts'

// The pictures of kinds of artifacts, drawn here, by the digest under which the API hands them out.

export interface Icon {
  readonly digest: Digest
  readonly contentType: string
  /** In base64. */
  readonly content: string
}

const draw = (strokes: string): Icon => {
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24" fill="none" stroke="#1d6f8a" stroke-width="1.6" stroke-linejoin="round" stroke-linecap="round">${strokes}</svg>`
  return {
    digest: `sha256:${createHash('sha256').update(svg).digest('hex')}` as Digest,
    contentType: 'image/svg+xml',
    content: Buffer.from(svg).toString('base64'),
  }
}

export const ICONS = {
  /** A box. */
  image: draw('<path d="M3 8l9-5 9 5v8l-9 5-9-5z"/><path d="M3 8l9 5 9-5M12 13v8"/>'),
  /** A wheel. */
  chart: draw('<circle cx="12" cy="12" r="4"/><path d="M12 2v6M12 16v6M2 12h6M16 12h6M5 5l4 4M15 15l4 4M19 5l-4 4M9 15l-4 4"/>'),
  /** A piece with a notch. */
  wasm: draw('<path d="M4 4h5a3 3 0 0 0 6 0h5v16H4z"/><path d="M7 12l1.500 5L10 13l1.500 4L13 12"/>'),
  /** A seal. */
  signature: draw('<circle cx="12" cy="9" r="6"/><path d="M9.500 9l2 2 3.500-4M8 14l-2 8 6-3 6 3-2-8"/>'),
  /** A sheet. */
  other: draw('<path d="M6 2h8l4 4v16H6z"/><path d="M14 2v4h4M9 12h6M9 16h6"/>'),
} as const satisfies Record<string, Icon>

const BY_DIGEST = new Map<string, Icon>(Object.values(ICONS).map((icon) => [icon.digest, icon]))

export function iconOf(digest: string): Icon | undefined {
  return BY_DIGEST.get(digest)
}

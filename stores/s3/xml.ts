// The three things the adapter reads from S3's XML. Keys are plain (see ObjectStore), so an XML parser would have nothing to do.

import type { ObjectEntry } from '../../registry/object-store.ts'

/** Entries of a ListObjectsV2 answer. */
export function parseList(xml: string): { readonly entries: readonly ObjectEntry[]; readonly truncated: boolean } {
  const entries = [...xml.matchAll(/<Contents>(.*?)<\/Contents>/gs)].map(([, inner = '']) => ({
    key: plain(tag(inner, 'Key') ?? ''),
    size: Number(tag(inner, 'Size') ?? Number.NaN),
  }))
  return { entries, truncated: tag(xml, 'IsTruncated') === 'true' }
}

/** The codes of the errors that a DeleteObjects answer tells of, by key; of an error that names none, under an empty one. */
export function deleteFailures(xml: string): ReadonlyMap<string, string> {
  return new Map(
    [...xml.matchAll(/<Error>(.*?)<\/Error>/gs)].map(([, inner = '']) => [plain(tag(inner, 'Key') ?? ''), tag(inner, 'Code') ?? 'unknown']),
  )
}

/** The code of an error answer, for the log. */
export function errorCode(xml: string): string | undefined {
  return tag(xml, 'Code')
}

export function deleteRequest(keys: readonly string[]): string {
  return `<?xml version="1.0" encoding="UTF-8"?><Delete xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Quiet>true</Quiet>${keys
    .map((key) => `<Object><Key>${key}</Key></Object>`)
    .join('')}</Delete>`
}

function tag(xml: string, name: string): string | undefined {
  return xml.match(new RegExp(`<${name}>([^<]*)</${name}>`))?.[1]
}

function plain(text: string): string {
  return text.replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&quot;', '"').replaceAll('&apos;', "'").replaceAll('&amp;', '&')
}

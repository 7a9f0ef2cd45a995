import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isDigest, parseDigest } from './digests.ts'
import { RegistryError } from './errors.ts'
import { MANIFEST_LIMIT, parseManifest } from './manifests.ts'
import { isMediaType, OCI_INDEX, OCI_MANIFEST } from './media-types.ts'
import { isRepositoryName, parseReference, parseRepositoryName, splitProject } from './names.ts'
import { parseChunkRange, parseRange } from './ranges.ts'

const bytes = (value: unknown) => new TextEncoder().encode(typeof value === 'string' ? value : JSON.stringify(value))
const digest = `sha256:${'a'.repeat(64)}`
const config = { mediaType: 'application/c', digest, size: 1 }

describe('names and digests', () => {
  it('are accepted in the one form that can be a path and a key', () => {
    for (const name of ['a', 'a/b', 'a.b_c__d-e---f/0', `${'a'.repeat(127)}/${'b'.repeat(127)}`]) expect(isRepositoryName(name), name).toBe(true)
    for (const name of ['', '/', 'a/', '/a', 'a//b', 'A', 'a..b', '.a', 'a-', 'a___b', 'a/../b', 'a%2fb', 'a b', 'a\n', 'é', 'a'.repeat(256)])
      expect(isRepositoryName(name), name).toBe(false)
    for (const text of [digest.toUpperCase(), digest.slice(0, -1), `${digest}0`, 'md5:00', `${digest}\n`, `sha512:${'a'.repeat(64)}`])
      expect(isDigest(text), text).toBe(false)
    expect(parseReference(digest)).toEqual({ digest })
    expect(parseReference('v1.0')).toEqual({ tag: 'v1.0' })
    expect(() => parseReference('sha256:short')).toThrow(expect.objectContaining({ code: 'DIGEST_INVALID' }))
    expect(splitProject(parseRepositoryName('p/a/b'))).toEqual({ project: 'p', rest: 'a/b' })
  })

  it('are refused quickly however long and however nearly right they are', () => {
    expect(isRepositoryName(`${'a-'.repeat(120)}!`)).toBe(false)
    expect(isRepositoryName('a'.repeat(1_000_000))).toBe(false)
  })
})

describe('ranges', () => {
  it('lie inside the body, whatever was asked', () => {
    fc.assert(
      fc.property(fc.nat(1000), fc.option(fc.nat(2000)), fc.option(fc.nat(2000)), (size, first, last) => {
        const header = `bytes=${first ?? ''}-${last ?? ''}`
        let range: ReturnType<typeof parseRange>
        try {
          range = parseRange(header, size)
        } catch (error) {
          expect(error).toMatchObject({ code: 'RANGE_INVALID', headers: { 'Content-Range': `bytes */${size}` } })
          return
        }
        if (!range) return
        expect(range.offset).toBeGreaterThanOrEqual(0)
        expect(range.length).toBeGreaterThan(0)
        expect(range.offset + range.length).toBeLessThanOrEqual(size)
        if (first !== null) expect(range.offset).toBe(first)
      }),
    )
  })

  it('of chunks have both ends included and refuse what runs backwards', () => {
    expect(parseChunkRange('0-0')).toEqual({ offset: 0, length: 1 })
    expect(parseChunkRange('bytes 5-9/*')).toEqual({ offset: 5, length: 5 })
    for (const header of ['', '5-4', 'a-b', '-5', '0-99999999999999999999', '1']) {
      expect(() => parseChunkRange(header), header).toThrow(expect.objectContaining({ code: 'BLOB_UPLOAD_INVALID', status: 400 }))
    }
  })
})

describe('parseManifest', () => {
  it('finds what a manifest refers to', () => {
    const subject = { mediaType: OCI_MANIFEST, digest, size: 2 }
    const image = parseManifest(bytes({ schemaVersion: 2, mediaType: OCI_MANIFEST, config, layers: [config], subject }), OCI_MANIFEST)
    expect(image).toMatchObject({ artifactType: 'application/c', blobs: [{ digest }, { digest }], manifests: [], subject: { digest } })
    const index = parseManifest(bytes({ schemaVersion: 2, manifests: [subject] }), `${OCI_INDEX}; charset=utf-8`)
    expect(index).toMatchObject({ mediaType: OCI_INDEX, blobs: [], manifests: [{ digest }] })
  })

  it('refuses in words what no reader behind it should meet', () => {
    const cases: readonly [unknown, string][] = [
      [{ mediaType: OCI_INDEX, config, layers: [] }, OCI_MANIFEST],
      [{ config, layers: [], manifests: [] }, OCI_MANIFEST],
      [{ manifests: [], layers: [] }, OCI_INDEX],
      [{ config: { ...config, digest: 'sha256:short' }, layers: [] }, OCI_MANIFEST],
      [{ config: { ...config, size: -1 }, layers: [] }, OCI_MANIFEST],
      [{ config: { ...config, size: 1e300 }, layers: [] }, OCI_MANIFEST],
      // Each of them is a size, and what they are together is none.
      [{ config: { ...config, size: 2 ** 52 }, layers: [{ ...config, size: 2 ** 52 }] }, OCI_MANIFEST],
      [{ config, layers: {} }, OCI_MANIFEST],
      [{ schemaVersion: 1, config, layers: [] }, OCI_MANIFEST],
      [{ schemaVersion: '2', manifests: [] }, OCI_INDEX],
      [{ mediaType: 'x/y\r\nSet-Cookie: a' }, ''],
      [[], OCI_MANIFEST],
      ['null', OCI_MANIFEST],
      ['{', OCI_MANIFEST],
      ['['.repeat(100_000), OCI_MANIFEST],
      [{}, ''],
    ]
    for (const [document, type] of cases)
      expect(() => parseManifest(bytes(document), type)).toThrow(expect.objectContaining({ code: 'MANIFEST_INVALID', status: 400 }))
    expect(() => parseManifest(new Uint8Array([0x7b, 0xff, 0x7d]), OCI_MANIFEST)).toThrow(expect.objectContaining({ code: 'MANIFEST_INVALID' }))
    expect(() => parseManifest(new Uint8Array(MANIFEST_LIMIT + 1), OCI_MANIFEST)).toThrow(
      expect.objectContaining({ code: 'SIZE_INVALID', status: 413 }),
    )
  })

  it('throws nothing but errors of the protocol, for any document', () => {
    fc.assert(
      fc.property(fc.json({ maxDepth: 4 }), fc.constantFrom(OCI_MANIFEST, OCI_INDEX, 'a/b', ''), (json, type) => {
        try {
          parseManifest(bytes(json), type)
        } catch (error) {
          expect(error).toBeInstanceOf(RegistryError)
        }
      }),
    )
  })
})

it('a media type can always be a header', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => !isMediaType(text) || new Headers({ 'Content-Type': text }).get('Content-Type') === text),
  )
  expect(isMediaType(OCI_MANIFEST)).toBe(true)
  expect(isMediaType('a/b\n')).toBe(false)
  expect(() => parseDigest('')).toThrow(expect.objectContaining({ code: 'DIGEST_INVALID' }))
})

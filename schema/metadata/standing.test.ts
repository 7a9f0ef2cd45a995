import { sql as raw } from 'drizzle-orm'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseRepositoryName, parseTag } from '../../registry/spec/names.ts'
import { seed, temporaryDatabase } from '../../test/support/database.ts'
import { digestOf } from '../../test/support/fill-source.ts'
import { metadataStore } from '../metadata-store.ts'
import { releaseArtifacts } from '../release-artifacts.ts'
import { STANDS, TAGGED } from './standing.ts'

const app = parseRepositoryName('team/app')
const other = parseRepositoryName('team/other')
const bytesOf = (n: number) => new Uint8Array([n])
const digestOfNumber = (n: number) => digestOf(bytesOf(n))
const descriptor = (n: number) => ({ mediaType: 'application/x', digest: digestOfNumber(n), size: 1 })

const artifact = fc.nat({ max: 4 })
const tag = fc.oneof(
  fc.constantFrom('v1', 'v2'),
  fc.tuple(artifact, fc.constantFrom('.sig', '.att', '.sbom', '.other')).map(([n, suffix]) => `${digestOfNumber(n).replace(':', '-')}${suffix}`),
)
const command = fc.oneof(
  fc.record({
    kind: fc.constant('put' as const),
    n: artifact,
    at: fc.constantFrom(app, other),
    children: fc.uniqueArray(artifact, { maxLength: 2 }),
    subject: fc.option(artifact, { nil: undefined, freq: 4 }),
    tags: fc.array(tag, { maxLength: 2 }),
  }),
  fc.record({ kind: fc.constantFrom('delete' as const, 'release' as const), n: artifact, at: fc.constantFrom(app, other) }),
  fc.record({ kind: fc.constant('untag' as const), tag, at: fc.constantFrom(app, other) }),
)

describe('what stands by itself in lists', () => {
  it('is what the tags, indexes and subjects say, whatever was pushed, tagged and deleted in whatever order', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(command, { minLength: 1, maxLength: 14 }), async (commands) => {
        await using held = await temporaryDatabase()
        const { db } = held
        await seed(db)
        const store = metadataStore(db)
        for (const each of commands) {
          if (each.kind === 'put') {
            const { n, at, children, subject, tags } = each
            const parsed = {
              mediaType: 'application/x',
              blobs: [],
              // Nothing can hold its own digest.
              manifests: children.filter((child) => child !== n).map(descriptor),
              ...(subject !== undefined && { subject: descriptor(subject) }),
            }
            await store.putManifest(at, { descriptor: descriptor(n), bytes: bytesOf(n), parsed, tags: tags.map((name) => parseTag(name)) }, 'user:1')
          } else if (each.kind === 'untag') await store.deleteTag(each.at, parseTag(each.tag), 'user:1')
          else if (each.kind === 'delete') await store.deleteManifest(each.at, digestOfNumber(each.n), 'user:1')
          else {
            const digest = digestOfNumber(each.n)
            const names = await db.read.sql.all<{ name: string }>(
              `SELECT t.name FROM tags t JOIN repositories r ON r.id = t.repository_id WHERE r.name = '${each.at}' AND t.digest = '${digest}'`,
            )
            await releaseArtifacts(db, each.at, [{ digest, tags: names.map(({ name }) => parseTag(name)) }], 'user:1')
          }
          expect(await db.read.sql.all(raw`SELECT id, top, tagged FROM manifests WHERE top IS NOT ${STANDS} OR tagged IS NOT ${TAGGED}`)).toEqual([])
        }
      }),
      { numRuns: 100 },
    )
  }, 60_000)
})

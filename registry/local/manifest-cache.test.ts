import fc from 'fast-check'
import { expect, it } from 'vitest'
import type { Manifest } from '../registry.ts'
import { parseDigest } from '../spec/digests.ts'
import { OCI_MANIFEST } from '../spec/media-types.ts'
import { parseRepositoryName, parseTag } from '../spec/names.ts'
import type { SeenChange } from './current-changes.ts'
import { ManifestCache } from './manifest-cache.ts'

const name = parseRepositoryName('p/app')
const tags = ['a', 'b', 'c'].map(parseTag)
const manifestOf = (version: number): Manifest => ({
  descriptor: { mediaType: OCI_MANIFEST, digest: parseDigest(`sha256:${version.toString(16).padStart(64, '0')}`), size: 1 },
  bytes: new Uint8Array([version % 256]),
})

it('answers as the database does at some moment of the question, whatever is written and however its reads are delayed', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.scheduler(),
      fc.array(fc.tuple(fc.constantFrom('read', 'read', 'read', 'set', 'set', 'delete', 'forget all'), fc.nat(1)), {
        minLength: 6,
        maxLength: 40,
        size: 'max',
      }),
      async (scheduler, steps) => {
        const stored = new Map<string, Manifest>()
        /** Every value that a tag has had, with when it began; a moment is a step of writing. */
        const history = new Map<string, { from: number; manifest: Manifest | undefined }[]>(
          tags.map((tag) => [tag, [{ from: 0, manifest: undefined }]]),
        )
        const feed: SeenChange[] = []
        let moment = 0
        const write = (tag: string, manifest: Manifest | undefined, kind: string, subject: string) => {
          moment++
          if (manifest) stored.set(tag, manifest)
          else stored.delete(tag)
          history.get(tag)?.push({ from: moment, manifest })
          feed.push({ seq: feed.length + 1, kind, subject })
        }
        const cache = new ManifestCache({
          metadata: {
            // The value is that of the moment of reading; its way back takes time.
            getManifest: async (_, { tag = '' }) => scheduler.schedule(Promise.resolve(stored.get(tag)), 'answer'),
          },
          changes: {
            head: async () => scheduler.schedule(Promise.resolve(feed.length), 'head'),
            since: async (after, limit) => scheduler.schedule(Promise.resolve(feed.slice(after, after + limit)), 'since'),
          },
          soon: (run) => void scheduler.schedule(Promise.resolve(), 'soon').then(run),
          limit: 1_000_000,
        })
        const reads: Promise<void>[] = []
        const sequence = steps.map(([step, which], index) => ({
          label: step,
          builder: async () => {
            const tag = tags[which] ?? parseTag('a')
            if (step === 'set') write(tag, manifestOf(index + 1), 'tag.set', `${name}:${tag}`)
            else if (step === 'delete') write(tag, undefined, 'tag.deleted', `${name}:${tag}`)
            else if (step === 'forget all') for (const each of tags) write(each, undefined, 'repository.deleted', name)
            else {
              const asked = moment
              reads.push(
                cache.getManifest(name, { tag }).then((manifest) => {
                  const past = history.get(tag) ?? []
                  const possible = past.filter(({ from }, at) => from <= moment && (past[at + 1]?.from ?? Number.POSITIVE_INFINITY) > asked)
                  expect(possible.map((entry) => entry.manifest)).toContain(manifest)
                }),
              )
            }
          },
        }))
        const written = scheduler.scheduleSequence(sequence).task
        await scheduler.waitFor(written.then(() => Promise.all(reads)))
      },
    ),
    { numRuns: 4000 },
  )
})

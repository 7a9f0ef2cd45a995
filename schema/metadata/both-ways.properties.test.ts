import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Clock } from '../../registry/clock.ts'
import { LocalRegistry } from '../../registry/local.ts'
import type { Repository } from '../../registry/registry.ts'
import type { Digest } from '../../registry/spec/digests.ts'
import { parseRepositoryName, parseTag, type RepositoryName, type Tag } from '../../registry/spec/names.ts'
import { compare, inConflict, type SiteId, type TagState } from '../../registry/versions/version.ts'
import { createHasher } from '../../stores/hasher.ts'
import { memoryObjectStore } from '../../stores/memory-object-store.ts'
import { slicedBlobStore } from '../../stores/sliced-blob-store.ts'
import { seed, type TemporaryDatabase, temporaryDatabase } from '../../test/support/database.ts'
import { type AuditRow, readAudit } from '../audit/read.ts'
import { headOfChanges, readChanges } from '../changes.ts'
import { metadataStore } from '../metadata-store.ts'

// Sites on real databases, which send each other what the feed tells, by the calls that the /v2 routes make. What is sent may be lost,
// overtaken, and come twice. The model knows every write and what its writer had seen.

const TAGS = ['one', 'two'].map(parseTag)
const HOUR = 3_600_000
const START = Date.UTC(2026, 0, 1)

interface Message {
  readonly from: number
  readonly to: number
  readonly tag: Tag
  readonly state: TagState
}

type Step =
  | { readonly do: 'push' | 'delete'; readonly site: number; readonly tag: number; readonly content: number }
  | { readonly do: 'follow'; readonly site: number }
  | { readonly do: 'deliver'; readonly which: number; readonly outcome: 'arrives' | 'lost' | 'twice' }
  | { readonly do: 'wait'; readonly ms: number }

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constant('push' as const), site: fc.nat(2), tag: fc.nat(1), content: fc.nat(5) }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('delete' as const), site: fc.nat(2), tag: fc.nat(1), content: fc.constant(0) }) },
  { weight: 5, arbitrary: fc.record({ do: fc.constant('follow' as const), site: fc.nat(2) }) },
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constant('deliver' as const),
      which: fc.nat(1000),
      outcome: fc.constantFrom('arrives' as const, 'arrives' as const, 'lost' as const, 'twice' as const),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('wait' as const), ms: fc.integer({ min: 0, max: 2 * HOUR }) }) },
)

/** Opened once for all runs, each of which has a repository of its own. */
let pool: Site[] = []
let runs = 0
let world: World | undefined
beforeAll(async () => {
  for (let index = 0; index < 3; index++) pool.push(await Site.open(index))
})
afterAll(async () => {
  for (const { database } of pool) await database[Symbol.asyncDispose]()
  pool = []
})

class Site {
  readonly index: number
  readonly database: TemporaryDatabase
  readonly #local: LocalRegistry
  #name: RepositoryName = parseRepositoryName('team/app')
  #cursor = 0

  private constructor(index: number, database: TemporaryDatabase, clock: Clock) {
    this.index = index
    this.database = database
    this.#local = new LocalRegistry({
      blobs: slicedBlobStore(memoryObjectStore()),
      metadata: metadataStore(database.db),
      clock,
      createHasher,
      newId: () => 'unused',
    })
  }

  static async open(index: number): Promise<Site> {
    const clock = { now: () => world?.now(index) ?? START, after: () => () => {} }
    const database = await temporaryDatabase({ clock, site: index.toString(16).padStart(16, '0') as SiteId })
    await seed(database.db)
    return new Site(index, database, clock)
  }

  /** The next run is about this repository. */
  async begin(name: RepositoryName): Promise<void> {
    this.#name = name
    this.#cursor = await headOfChanges(this.database.db)
  }

  get repository(): Repository {
    return this.#local.as(`site:${this.index}`, { versions: true }).repository(this.#name)
  }

  async state(tag: Tag): Promise<TagState | undefined> {
    return (await this.repository.versions?.state(tag)) || undefined
  }

  /** The tags that the feed has told of since it was read last. */
  async told(): Promise<Tag[]> {
    const changes = await readChanges(this.database.db, this.#cursor, 1000)
    this.#cursor = changes.at(-1)?.seq ?? this.#cursor
    return [
      ...new Set(changes.filter(({ kind }) => kind.startsWith('tag.')).map(({ subject }) => parseTag(subject.slice(subject.lastIndexOf(':') + 1)))),
    ]
  }

  async take(tag: Tag, state: TagState): Promise<void> {
    const { versions } = this.repository
    if (state.digest === undefined) await versions?.delete(tag, state.version)
    else await versions?.put(manifestOf(state.digest), tag, state.version)
  }

  async conflicts(): Promise<string[]> {
    const rows: AuditRow[] = []
    for (let last = 0; ; last = rows.at(-1)?.id ?? last) {
      const page = await readAudit(this.database.db, last, 1000)
      rows.push(...page)
      if (page.length < 1000) break
    }
    return rows
      .filter(({ operation, resource }) => operation === 'conflict' && resource.startsWith(`${this.#name}:`))
      .map(({ resource, detail }) => pairOf(resource, detail))
  }
}

/** Which two writes a line of the audit log is about. */
function pairOf(resource: string, detail: string): string {
  const { kept, lost } = JSON.parse(detail) as Record<'kept' | 'lost', { digest: string; version: string }>
  return `${resource} ${[`${kept.version}=${kept.digest}`, `${lost.version}=${lost.digest}`].sort().join(' ')}`
}

const MEDIA_TYPE = 'application/vnd.oci.image.manifest.v1+json'
const contents = new Map<string, Uint8Array>()
function manifest(content: number) {
  const empty = {
    mediaType: 'application/vnd.oci.empty.v1+json',
    digest: `sha256:${'44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a'}`,
    size: 2,
  }
  const document = {
    schemaVersion: 2,
    mediaType: MEDIA_TYPE,
    artifactType: 'application/x',
    config: empty,
    layers: [],
    annotations: { content: String(content) },
  }
  const bytes = new TextEncoder().encode(JSON.stringify(document))
  const hasher = createHasher('sha256')
  hasher.update(bytes)
  contents.set(hasher.digest(), bytes)
  return { bytes, mediaType: MEDIA_TYPE }
}

function manifestOf(digest: Digest) {
  const bytes = contents.get(digest)
  if (bytes === undefined) throw new Error(`nobody made ${digest}`)
  return { bytes, mediaType: MEDIA_TYPE }
}

class World {
  readonly sites: readonly Site[]
  readonly name: RepositoryName
  readonly writes = new Map<Tag, TagState[]>()
  readonly way: Message[] = []
  sent = 0
  readonly #skews: readonly number[]
  #time = START

  constructor(name: RepositoryName, sites: readonly Site[], skews: readonly number[]) {
    this.name = name
    this.sites = sites
    this.#skews = skews
  }

  /** By the clock of that site. */
  now(site: number): number {
    return this.#time + (this.#skews[site] ?? 0)
  }

  async run(step: Step): Promise<void> {
    switch (step.do) {
      case 'wait':
        this.#time += step.ms
        return
      case 'push':
      case 'delete': {
        const site = this.at(step.site)
        const tag = TAGS[step.tag] as Tag
        const before = await site.state(tag)
        if (step.do === 'push') await site.repository.manifests.put({ ...manifest(step.content), tags: [tag] })
        else await site.repository.tags.delete(tag)
        const after = await site.state(tag)
        if (after === undefined || after.version.dot === before?.version.dot) return
        if (before !== undefined) expect(after.version.dot > before.version.dot, 'a write here comes after what is here').toBe(true)
        this.writes.set(tag, [...(this.writes.get(tag) ?? []), after])
        return
      }
      case 'follow':
        await this.follow(this.at(step.site))
        return
      case 'deliver': {
        if (this.way.length === 0) return
        const at = step.which % this.way.length
        const message = this.way[at] as Message
        // What is lost is sent again when the link is back: here, it stays on its way.
        if (step.outcome === 'lost') return
        if (step.outcome === 'arrives') this.way.splice(at, 1)
        await this.at(message.to).take(message.tag, message.state)
        return
      }
    }
  }

  /** A rule for each other site, of a ring of three both ways, or of two. */
  async follow(site: Site): Promise<void> {
    for (const tag of await site.told()) {
      const state = await site.state(tag)
      if (state === undefined) continue
      for (const other of this.sites) if (other !== site) this.send({ from: site.index, to: other.index, tag, state })
    }
  }

  send(message: Message): void {
    this.way.push(message)
    this.sent++
  }

  async quiet(): Promise<void> {
    for (let round = 0; ; round++) {
      if (round > 20) throw new Error('they do not come to rest')
      for (const site of this.sites) await this.follow(site)
      if (this.way.length === 0) return
      for (const { to, tag, state } of this.way.splice(0)) await this.at(to).take(tag, state)
    }
  }

  at(index: number): Site {
    return this.sites[index % this.sites.length] as Site
  }
}

test('sites come to the same tags, the newest write, whatever is lost, late, doubled or told by a wrong clock', async () => {
  let conflicts = 0
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(2, 3),
      fc.array(fc.integer({ min: -10 * HOUR, max: 10 * HOUR }), { minLength: 3, maxLength: 3 }),
      fc.array(step, { minLength: 5, maxLength: 40 }),
      async (count, skews, steps) => {
        const sites = pool.slice(0, count)
        world = new World(parseRepositoryName(`team/app${runs++}`), sites, skews)
        for (const site of sites) await site.begin(world.name)
        for (const step of steps) await world.run(step)
        await world.quiet()
        for (const tag of TAGS) {
          const writes = world.writes.get(tag) ?? []
          const winner = writes.reduce<TagState | undefined>(
            (most, each) => (most === undefined || compare(each, most) === 'newer' ? each : most),
            undefined,
          )
          for (const site of sites) expect(await site.state(tag), `${tag} at site ${site.index}`).toEqual(winner)
          const shown = await sites[0]?.repository.manifests.stat({ tag })
          expect(shown?.descriptor.digest).toBe(winner?.digest)
        }
        // Each site takes each write at most once, and sends what it takes once to each other.
        const writes = [...world.writes.values()].flat()
        expect(world.sent).toBeLessThanOrEqual(writes.length * count * (count - 1))
        for (const site of sites) {
          const told = await site.conflicts()
          conflicts += told.length
          expect(new Set(told).size, 'a conflict is told once').toBe(told.length)
          const real = new Set(TAGS.flatMap((tag) => pairsInConflict(`${world?.name}:${tag}`, world?.writes.get(tag) ?? [])))
          for (const pair of told) expect(real.has(pair), `${pair} is no conflict`).toBe(true)
        }
        // Whoever lost a write to one that did not know of it has a line about it.
        for (const tag of TAGS) await expectLossesTold(world, tag)
        const before = world.sent
        await world.quiet()
        expect(world.sent, 'nothing more is sent').toBe(before)
      },
    ),
    { numRuns: Number(process.env.ATOLL_BOTH_WAYS_RUNS ?? 60) },
  )
  expect(conflicts, 'the steps make conflicts at all').toBeGreaterThan(0)
}, 120_000)

function pairsInConflict(subject: string, writes: readonly TagState[]): string[] {
  const named = ({ version, digest }: TagState) => `${version.dot}=${digest ?? 'deleted'}`
  return writes.flatMap((one) =>
    writes.filter((other) => inConflict(one, other)).map((other) => `${subject} ${[named(one), named(other)].sort().join(' ')}`),
  )
}

/** A write that nobody's later write had seen, and that does not stand, was lost in a conflict: the site where it was made says so. */
async function expectLossesTold(world: World, tag: Tag): Promise<void> {
  const writes = world.writes.get(tag) ?? []
  const known = (one: TagState) => writes.some((other) => other !== one && other.version.context.includes(one.version.dot))
  for (const site of world.sites) {
    const own = writes.filter(({ version }) => Number.parseInt(version.dot.slice(18), 16) === site.index)
    const last = own.at(-1)
    const stands = await site.state(tag)
    if (last === undefined || stands === undefined || stands.version.dot === last.version.dot || known(last) || !inConflict(last, stands)) continue
    // Whoever made the same of the tag elsewhere lost nothing, and who went on from there knew what he went on from.
    if (writes.some((other) => other !== last && other.digest === last.digest)) continue
    const told = await site.conflicts()
    expect(
      told.some((pair) => pair.includes(last.version.dot)),
      `the loss of ${last.version.dot} at site ${site.index}`,
    ).toBe(true)
  }
}

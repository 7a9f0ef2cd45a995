import { ADMIN_PASSWORD, type AtollProcess, startAtoll } from '../support/atoll.ts'
import { scrape, sum } from '../support/metrics-page.ts'
import { pushBlob, pushManifest, type RandomFile, randomFile, rebuiltFile } from './images.ts'
import { upload } from './load.ts'
import { type BenchLink, type LinkShape, startLink } from './replication/link.ts'
import { atoll, type Ends, type Images, regctlCopy, regsync, skopeoSync, type Tool } from './replication/tools.ts'
import { printRows, printTable, type Row } from './table.ts'

const QUIET = { ATOLL_LOG_LEVEL: 'error' }
const IMAGES: Images = { project: 'bench', repositories: ['app', 'web', 'jobs', 'data'], tags: ['v1', 'v2', 'v3', 'v4', 'v5'] }
/** The layer that all tags of a repository have, and that of each tag, as parts of the repository. */
const BASE = 0.5
const OWN = (1 - BASE) / IMAGES.tags.length
/** Of a layer that is built again. */
const CHANGED = 0.05
const MIB = 1024 * 1024

const STEPS = ['cold', 'warm', 'after a rebuilt layer'] as const

interface Seen {
  readonly seconds: number
  /** Both ways, what HTTP adds included. */
  readonly bytes: number
  readonly requests: number
}

/**
 * The same images from one registry to another at the end of a line, by a rule of ours and by other tools, each to a destination of its own:
 * when it has nothing, when it has everything, and after the layer that all tags of a repository have was built again and its last tag moved.
 * ATOLL_BENCH_REPLICATION_MIB (all images; 256 when absent), ATOLL_BENCH_LINK_MBPS (100) and ATOLL_BENCH_LINK_MS (50, there and back);
 * ATOLL_BENCH_BESIDE: names of tools with commas between them (all of them).
 */
export async function replication(): Promise<void> {
  const size = Number(process.env.ATOLL_BENCH_REPLICATION_MIB ?? 256) * MIB
  const shape = {
    bytesPerSecond: Number(process.env.ATOLL_BENCH_LINK_MBPS ?? 100) * 1e6,
    roundTripMs: Number(process.env.ATOLL_BENCH_LINK_MS ?? 50),
  }
  await using source = await startAtoll({ role: 'origin', env: QUIET })
  await addProject(source)
  const pushed = await pushAll(source, size / IMAGES.repositories.length)
  const moved = { cold: size, rebuilt: pushed.reduce((total, { base }) => total + base.size, 0) }
  const line = await lineRate(shape, size)
  const peers: (readonly [string, (ends: Ends) => Promise<Tool>])[] = [
    ['skopeo sync', skopeoSync],
    ['regctl image copy', regctlCopy],
    ['regsync', regsync],
  ]
  const beside = process.env.ATOLL_BENCH_BESIDE?.split(',')
  const tools = [['Atoll', (ends: Ends) => atoll('bench', ends)] as const, ...peers.filter(([name]) => beside?.includes(name) ?? true)]
  const seen = new Map<string, Seen[]>()
  const opened: { readonly name: string; readonly destination: AtollProcess; readonly link: BenchLink; readonly tool: Tool }[] = []
  try {
    for (const [name, open] of tools) {
      const destination = await startAtoll({ role: 'origin', env: { ...QUIET, ATOLL_CONTROL_PLANE_ENABLED: 'false' } })
      await addProject(destination)
      const link = await startLink(Number(destination.origin.split(':')[1]), shape)
      opened.push({ name, destination, link, tool: await open({ source, host: link.host, images: IMAGES }) })
    }
    for (const step of STEPS) {
      if (step === 'after a rebuilt layer') await rebuild(source, pushed)
      for (const { name, destination, link, tool } of opened) {
        const figures = seen.get(name) ?? []
        seen.set(name, figures)
        figures.push(await watched(destination, link, () => tool.sync()))
        await expectSame(source, destination)
      }
    }
  } finally {
    for (const { destination, link, tool } of opened) {
      await tool[Symbol.asyncDispose]()
      await link[Symbol.asyncDispose]()
      await destination[Symbol.asyncDispose]()
    }
    for (const { base, own } of pushed) for (const file of [base, ...own]) await file[Symbol.asyncDispose]()
  }
  print(seen, moved, shape, line)
}

function print(
  seen: ReadonlyMap<string, readonly Seen[]>,
  moved: { readonly cold: number; readonly rebuilt: number },
  shape: LinkShape,
  line: number,
): void {
  const tags = IMAGES.repositories.length * IMAGES.tags.length
  const title = `${(moved.cold / MIB).toFixed(0)} MiB in ${tags} tags of ${IMAGES.repositories.length} repositories, over ${shape.roundTripMs} ms and ${shape.bytesPerSecond / 1e6} MB/s`
  const rows = [...seen].flatMap(([name, figures]) =>
    figures.map(({ seconds, bytes, requests }, index) => {
      const wanted = index === 0 ? moved.cold : index === 2 ? moved.rebuilt : undefined
      return [
        STEPS[index] ?? '',
        name,
        `${seconds.toFixed(2)} s`,
        `${(bytes / 1e6).toFixed(1)} MB`,
        wanted === undefined ? '' : (bytes / wanted).toFixed(3),
        String(requests),
        (requests / tags).toFixed(2),
        index === 0 ? (moved.cold / seconds / line).toFixed(2) : '',
      ]
    }),
  )
  printTable(
    `${title}; ${(line / 1e6).toFixed(1)} MB/s by one plain upload`,
    ['step', 'by', 'time', 'moved', 'of what is new', 'requests', 'for each tag', 'of the line'],
    rows,
  )
  const mine = seen.get('Atoll') ?? []
  for (const [peer, theirs] of seen) {
    if (peer === 'Atoll') continue
    const beside: Row[] = STEPS.flatMap((step, index) => {
      const [own, other] = [mine[index], theirs[index]]
      if (own === undefined || other === undefined) return []
      const row = (what: string, unit: string, of: (figures: Seen) => number): Row => ({
        ...{ what: `${step}: ${what}`, unit, better: 'less', aim: '> 1' },
        ...{ atoll: of(own), peer: of(other) },
      })
      return [
        row('time', 's', ({ seconds }) => seconds),
        row('moved', 'MB', ({ bytes }) => bytes / 1e6),
        row('requests', '', ({ requests }) => requests),
      ]
    })
    printRows(`Beside ${peer}`, peer, beside)
  }
}

async function watched(destination: AtollProcess, link: BenchLink, work: () => Promise<void>): Promise<Seen> {
  const before = { link: await link.counts(), requests: await requestsOf(destination) }
  const began = performance.now()
  await work()
  const seconds = (performance.now() - began) / 1000
  const after = { link: await link.counts(), requests: await requestsOf(destination) }
  const bytes = after.link.up + after.link.down - before.link.up - before.link.down
  return { seconds, bytes, requests: after.requests - before.requests }
}

/** What the destination was asked, but for its page of figures and whether it is well. */
async function requestsOf(destination: AtollProcess): Promise<number> {
  const page = await scrape(`http://${destination.origin}`)
  const name = 'atoll_http_answer_seconds_count'
  return (
    sum(page, name) - ['/metrics', '/readyz', '/livez', 'metrics', 'health'].reduce((total, route) => total + sum(page, name, `route="${route}"`), 0)
  )
}

interface Repository {
  readonly name: string
  base: RandomFile
  readonly config: RandomFile
  readonly own: readonly RandomFile[]
}

const targetOf = (site: AtollProcess, name: string) => ({
  host: site.origin,
  repository: `${IMAGES.project}/${name}`,
  headers: { authorization: `Basic ${btoa(`admin:${ADMIN_PASSWORD}`)}` },
})

async function addProject(site: AtollProcess): Promise<void> {
  const answer = await site.api('POST', '/api/v2.0/projects', { project_name: IMAGES.project, public: true })
  if (answer.status !== 201) throw new Error(`no project: ${answer.status} ${await answer.text()}`)
}

async function pushAll(site: AtollProcess, size: number): Promise<Repository[]> {
  const repositories: Repository[] = []
  for (const name of IMAGES.repositories) {
    const [config, base] = [await randomFile(2_000), await randomFile(Math.round(size * BASE))]
    const own: RandomFile[] = []
    for (const _ of IMAGES.tags) own.push(await randomFile(Math.round(size * OWN)))
    for (const file of [config, base, ...own]) await pushBlob(upload, targetOf(site, name), file)
    for (const [index, tag] of IMAGES.tags.entries()) {
      const layer = own[index]
      if (layer) await pushManifest(targetOf(site, name), tag, config, [base, layer])
    }
    repositories.push({ name, config, base, own })
  }
  return repositories
}

/** Of each repository the last tag becomes an image whose first layer was built again. */
async function rebuild(site: AtollProcess, repositories: readonly Repository[]): Promise<void> {
  for (const repository of repositories) {
    const { name, config, own } = repository
    const before = repository.base
    repository.base = await rebuiltFile(before, CHANGED)
    await before[Symbol.asyncDispose]()
    await pushBlob(upload, targetOf(site, name), repository.base)
    const [tag, layer] = [IMAGES.tags.at(-1), own.at(-1)]
    if (tag !== undefined && layer) await pushManifest(targetOf(site, name), tag, config, [repository.base, layer])
  }
}

/** Whoever moves less must not have left something out. @throws when a tag differs */
async function expectSame(source: AtollProcess, destination: AtollProcess): Promise<void> {
  const digestOf = async (site: AtollProcess, path: string) => {
    const answer = await fetch(`http://${site.origin}/v2/${path}`, { method: 'HEAD', headers: { accept: '*/*', ...targetOf(site, '').headers } })
    return answer.headers.get('docker-content-digest')
  }
  for (const repository of IMAGES.repositories) {
    for (const tag of IMAGES.tags) {
      const path = `${IMAGES.project}/${repository}/manifests/${tag}`
      const [here, there] = [await digestOf(source, path), await digestOf(destination, path)]
      if (here === null || here !== there) throw new Error(`${path} is ${here} at the source and ${there} at the destination.`)
    }
  }
}

/** Bytes a second of one plain upload that nobody hashes or keeps: what there is to reach, and whether the line itself can do it. */
async function lineRate(shape: LinkShape, size: number): Promise<number> {
  await using link = await startLink(0, shape)
  await using file = await randomFile(size)
  const { total } = await upload(`http://${link.host}/`, file.path)
  return file.size / total
}

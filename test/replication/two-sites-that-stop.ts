import { randomBytes } from 'node:crypto'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect } from 'vitest'
import { ADMIN_PASSWORD, type AtollProcess, startAtoll } from '../support/atoll.ts'
import { pushImage, randomImage, type TestBlob, type TestImage } from '../support/images.ts'
import { stopPoints } from '../support/stop-points.ts'
import { until } from '../support/until.ts'
import { CutLink } from './cut-link.ts'
import { atollCli, atollJson, bytesAt, type Execution, pull, pushSignature, targetAt, taskLogs } from './sites.ts'

const MIB = 1024 * 1024
const LAYER = 6 * MIB
const BYTES_PER_SECOND = 64 * MIB
const MOST = 1.02
/** What a process that is killed had read and not yet written is gone with it. */
const IN_ITS_HANDS = 1.5 * MIB
/**
 * What the system of whoever receives has, and it has not read, is gone with it, too: its buffers hold as much as the layer. How little is moved
 * again is counted where nothing is killed (cuts.test.ts); here, that it is not begun anew again and again.
 */
export const IN_ITS_BUFFERS = LAYER
/** More than a lease: whoever comes after a dead process need not wait for it. */
const LATER_MS = 40_000
const CLOCK = fileURLToPath(new URL('../support/moved-clock.ts', import.meta.url))

export interface Site extends AsyncDisposable {
  readonly process: AtollProcess
  /** Has it killed or held at this step, once. */
  stopAt(step: string, signal: 'SIGKILL' | 'SIGSTOP'): Promise<void>
  /** Resolves when that has happened. */
  stopped(signal: 'SIGKILL' | 'SIGSTOP'): Promise<void>
  /** Lets it go on from where it is held. */
  goOn(): void
  /** Starts it again, with a clock that has gone on meanwhile. */
  comeBack(): Promise<void>
}

/** Two origins that stop where they are told to, and a copy of an image from one to the other. A has the rules. */
export class TwoSites implements AsyncDisposable {
  readonly a: Site
  readonly b: Site
  readonly #project: Project
  readonly #toB: CutLink
  readonly #base = randomBytes(300_000)
  readonly #folder: string

  private constructor(project: Project, folder: string, a: Site, b: Site, toB: CutLink) {
    this.#project = project
    this.#folder = folder
    this.a = a
    this.b = b
    this.#toB = toB
  }

  /** `push`: what is at A goes to B. `pull`: the other way. */
  static async start(project: Project): Promise<TwoSites> {
    const folder = await mkdtemp(join(tmpdir(), 'atoll-steps-'))
    const a = await site('a', folder)
    const b = await site('b', folder)
    const toB = await CutLink.to(b.process.origin)
    toB.bytesPerSecond = BYTES_PER_SECOND
    const sites = new TwoSites(project, folder, a, b, toB)
    const credential = { type: 'basic', access_key: 'admin', access_secret: ADMIN_PASSWORD }
    expect((await a.process.api('POST', '/api/v2.0/registries', { name: 'b', type: 'harbor', url: toB.url, credential })).status).toBe(201)
    await atollCli(sites.#source.process, 'project', 'create', project)
    await pushImage(targetAt(sites.#source.process, `${project}/base`), randomImage({ layers: [sites.#base] }), '1')
    await sites.#rule('base')
    await atollCli(a.process, 'replicate', 'run', 'base', '--wait')
    return sites
  }

  /** Begins to copy an image with a signature, whose base layer the destination has already, elsewhere. */
  async begin(name: string, armed: () => Promise<void>): Promise<Begun> {
    const repository = `${this.#project}/${name}`
    const target = targetAt(this.#source.process, repository)
    const image = randomImage({ layers: [this.#base, LAYER] })
    await pushImage(target, image, '1')
    const signature = await pushSignature(target, image.manifest)
    const rule = await this.#rule(name)
    this.#toB.reset()
    await armed()
    // It may be gone before it answers.
    this.a.process.api('POST', '/api/v2.0/replication/executions', { policy_id: rule }).catch(() => undefined)
    return { repository, image, signature, rule }
  }

  /** The execution ends well, the destination has every byte, and what travelled is what was missing and at most `lost` more. */
  async endsWhole({ repository, image, signature, rule }: Begun, lost: number): Promise<void> {
    const { process } = this.a
    let execution: Execution | undefined
    await until(
      'the execution has ended',
      async () => {
        const answer = await process.api('GET', `/api/v2.0/replication/executions?policy_id=${rule}`)
        ;[execution] = (await answer.json()) as Execution[]
        return execution !== undefined && execution.status !== 'InProgress'
      },
      60_000,
    )
    expect(execution, await taskLogs(process, execution?.id ?? 0)).toMatchObject({ status: 'Succeed', total: 1, succeed: 1, failed: 0 })
    const at = this.#project === 'push' ? this.b.process : process
    for (const { digest, bytes } of image.blobs) expect((await bytesAt(at, `${repository}/blobs/${digest}`)).equals(bytes), digest).toBe(true)
    expect((await bytesAt(at, `${repository}/manifests/1`)).equals(image.manifest.bytes)).toBe(true)
    expect((await pull(at, `${repository}/manifests/${signature.digest}`)).status).toBe(200)
    const moved = this.#toB.carried[this.#project === 'push' ? 'up' : 'down']
    expect(moved, 'nothing travels again').toBeLessThan(LAYER * MOST + lost)
    expect(moved).toBeGreaterThan(LAYER)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const one of [this.#toB, this.a, this.b]) await one[Symbol.asyncDispose]()
    await rm(this.#folder, { recursive: true, force: true })
  }

  get #source(): Site {
    return this.#project === 'push' ? this.a : this.b
  }

  async #rule(name: string): Promise<number> {
    const flag = this.#project === 'push' ? '--push-to' : '--pull-from'
    const { process } = this.a
    const made = await atollJson<{ id: number }>(process, 'replicate', 'rule', 'create', name, flag, 'b', '--repository', `${this.#project}/${name}`)
    return made.id
  }
}

export type Project = 'push' | 'pull'

export interface Begun {
  readonly repository: string
  readonly image: TestImage
  readonly signature: TestBlob
  readonly rule: number
}

/** The bytes that may travel twice when a process dies at this step: what it had read, and not written yet, is gone with it. */
export function inItsHands(step: string): number {
  return step === 'bytes moving' ? IN_ITS_HANDS : 0
}

/** For a repository, and the rule about it. */
export function nameOf(...words: readonly string[]): string {
  return words.join(' ').replaceAll(' ', '-')
}

async function site(name: string, folder: string): Promise<Site> {
  const clock = join(folder, `${name}-clock`)
  await writeFile(clock, '0')
  const points = await stopPoints([CLOCK])
  const started = await startAtoll({ role: 'origin', env: { ...points.env, MOVED_CLOCK_FILE: clock, ATOLL_LOG_LEVEL: 'error' } })
  let ahead = 0
  return {
    process: started,
    goOn: () => process.kill(started.pid, 'SIGCONT'),
    stopAt: (step, signal) => points.arm(step, { signal }),
    stopped: (signal) =>
      until(`${name} is where it is stopped`, async () => (await stateOf(started.pid)) === (signal === 'SIGSTOP' ? 'T' : undefined)),
    comeBack: async () => {
      ahead += LATER_MS
      await writeFile(clock, String(ahead))
      await started.restart()
    },
    [Symbol.asyncDispose]: async () => {
      await started[Symbol.asyncDispose]()
      await points[Symbol.asyncDispose]()
    },
  }
}

/** One letter (proc(5), /proc/pid/stat). undefined: the process has ended. */
async function stateOf(pid: number): Promise<string | undefined> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined)
  const state = stat?.slice(stat.lastIndexOf(')') + 2, stat.lastIndexOf(')') + 3)
  return state === 'Z' ? undefined : state
}

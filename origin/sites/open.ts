import type { ChildProcess } from 'node:child_process'
import type { Hono } from 'hono'
import type { BlobStore, CreateHasher } from '../../registry/blob-store.ts'
import type { Clock } from '../../registry/clock.ts'
import type { Log } from '../../registry/log.ts'
import type { Registry } from '../../registry/registry.ts'
import { RegistryError } from '../../registry/spec/errors.ts'
import { splitProject } from '../../registry/spec/names.ts'
import type { Steps } from '../../registry/steps.ts'
import type { Database } from '../../schema/database.ts'
import type { NewSigningKey } from '../../schema/keys.ts'
import { findProjectByName } from '../../schema/projects.ts'
import { Nonces } from '../identity/nonces.ts'
import { isSynchronous } from '../project-rules/settings.ts'
import type { Secrets } from '../services.ts'
import { followPrimary } from './follow.ts'
import { LOG_CHECK_MS, ROLE_LOOK_MS, SYNCHRONOUS_MS } from './limits.ts'
import { askPeer, fencePeer, type Promotion, precondition, promote } from './promote.ts'
import { findSuccessor, type Rejoining, rejoin } from './rejoin.ts'
import { sitesRoutes } from './routes.ts'
import { Source } from './source.ts'
import type { Standing } from './standing.ts'
import { synchronous } from './synchronous.ts'
import { SiteTalk } from './talk.ts'
import { part, unpair } from './unpair.ts'

/** What a drill is done with. */
export interface DrillMeans {
  readonly dataVolume: string
  /** Settings that the origin of a drill shares with this one. */
  readonly settings: Readonly<Record<string, string>>
  /** Starts an origin with these settings in its environment. Absent: this process starts no other. */
  readonly startProcess: ((folder: string, env: Readonly<Record<string, string>>) => ChildProcess) | undefined
}

export interface SitesOptions {
  readonly db: Database
  readonly standing: Standing
  readonly store: BlobStore
  readonly secrets: Secrets
  readonly createHasher: CreateHasher
  readonly fetch: typeof fetch
  readonly clock: Clock
  readonly log: Log
  readonly newId: () => string
  readonly random: () => number
  readonly steps: Steps
  /** This site's key for robots' secrets. */
  readonly robotKey: Buffer
  /** `iss` of tokens as long as this site has no other. */
  readonly ownIssuer: string
  /** Makes a key for what this site signs as an origin of its own. */
  readonly newSigningKey: () => Promise<NewSigningKey>
  /** What this site owns, as the system changes it. */
  readonly local: Registry
  readonly drills: DrillMeans
  /** A token to push to a repository, and to pull from another. */
  readonly pushToken: (name: string, from: string) => Promise<string>
  /** Forgets what is remembered of the database: it is another one now. */
  readonly forget: () => Promise<void>
}

/** What the files of this room share. */
export interface SitesRoom extends SitesOptions {
  readonly talk: SiteTalk
  readonly source: Source
  readonly nonces: Nonces
}

/** A site as one of two. */
export class Sites {
  readonly routes: Hono
  readonly room: SitesRoom
  #work: { readonly role: string; readonly stop: AbortController; readonly ended: Promise<void> } | undefined
  /** Nothing is begun: the process ends, or the role is being changed. */
  #held = true
  #rejoining: Rejoining | undefined
  readonly #stopListening: () => void
  #cancelCheck: () => void = () => undefined

  constructor(options: SitesOptions) {
    const { standing, db, secrets, clock, log, steps } = options
    const talk = new SiteTalk({ ...options, self: () => ({ id: standing.pair?.self.id ?? '', epoch: standing.epoch, keys: standing.keys }) })
    const source = new Source({ db, standing, secrets, clock, log, steps })
    this.room = { ...options, talk, source, nonces: new Nonces() }
    this.routes = sitesRoutes(this.room, () => this.#apart(() => part(this.room, 'system')))
    this.#stopListening = standing.on(() => this.#adapt())
  }

  /** Begins what its role asks for: following, or telling the other. */
  start(): void {
    if (this.room.standing.watching) this.#watch()
    else {
      this.#release()
      this.#check()
    }
  }

  async promote(actor: string, gone: boolean): Promise<Promotion> {
    const hold = { unfollow: () => this.#hold(), follow: () => this.#release() }
    return await promote({ ...this.room, ...hold }, actor, gone)
  }

  /** Ends the pair. Resolves with whether the other site has parted, too. */
  async unpair(actor: string, gone: boolean): Promise<boolean> {
    return await this.#apart(() => unpair(this.room, actor, gone))
  }

  /** What the primary does without its standby, and for how long it may after its last word. The standby hears of it with its next answer. */
  async settle(away: 'stop' | 'continue' | undefined, leaseSeconds: number | undefined): Promise<void> {
    await this.room.standing.change((pair) => {
      if (pair.role !== 'primary') throw precondition('The primary decides this, and tells its standby.')
      return { ...pair, ...(away !== undefined && { away }), ...(leaseSeconds !== undefined && { leaseMs: leaseSeconds * 1000 }) }
    })
  }

  /** The same registry, whose changes to projects that want it are acknowledged once the standby has them. */
  synchronous(registry: Registry): Registry {
    const { standing, db, source } = this.room
    if (standing.role !== 'primary' || standing.peer === undefined) return registry
    return synchronous(registry, async (name) => {
      const project = await findProjectByName(db, splitProject(name).project)
      if (project === undefined || !isSynchronous(project)) return undefined
      source.mustMirror(project.name)
      return () => source.settled(SYNCHRONOUS_MS)
    })
  }

  /** How the last rejoining of this process is doing. */
  get rejoining(): Rejoining | undefined {
    return this.#rejoining
  }

  /** Begins to become the standby of the site that has taken over; resolves when it has begun. */
  async rejoin(): Promise<void> {
    const successor = await findSuccessor(this.room)
    if (this.#rejoining?.state === 'quarantining') return
    const progress: Rejoining = { state: 'quarantining', artifacts: 0, bytes: 0, problem: undefined }
    this.#rejoining = progress
    rejoin(this.room, successor, progress).catch((error: unknown) => {
      this.room.log.error({ err: error }, 'This site could not rejoin; nothing is lost, and it can be told to again.')
      progress.state = 'failed'
      progress.problem = error instanceof RegistryError ? error : new RegistryError('UNKNOWN', 'Something went wrong here; the log says what.')
    })
  }

  async close(): Promise<void> {
    this.#stopListening()
    this.#cancelCheck()
    await this.#hold()
  }

  /** While nothing of the pair's work is under way. */
  async #apart<T>(work: () => Promise<T>): Promise<T> {
    await this.#hold()
    try {
      return await work()
    } finally {
      this.#release()
    }
  }

  async #hold(): Promise<void> {
    this.#held = true
    this.#work?.stop.abort(new Error('This site does something else now.'))
    await this.#work?.ended
  }

  #release(): void {
    this.#held = false
    this.#adapt()
  }

  #adapt(): void {
    const { standing } = this.room
    const { role } = standing
    if (this.#work !== undefined && this.#work.role !== role) this.#work.stop.abort(new Error('This site has another role now.'))
    if (this.#held || this.#work !== undefined || role === 'alone' || role === 'fenced') return
    const stop = new AbortController()
    const run = async () => {
      if (role === 'standby') await followPrimary(this.room, stop.signal)
      else await Promise.all([fencePeer(this.room, stop.signal), askPeer(this.room, stop.signal)])
      this.#work = undefined
      // It ended because of a change, or there was nothing to do; what there is to do now begins.
      if (standing.role !== role) this.#adapt()
    }
    this.#work = { role, stop, ended: run() }
  }

  #watch(): void {
    const { clock, standing, log } = this.room
    this.#cancelCheck = clock.after(ROLE_LOOK_MS, () => {
      standing
        .reload()
        .catch((error: unknown) => log.error({ err: error }, 'It could not be looked which role this site has.'))
        .finally(() => this.#watch())
    })
  }

  #check(): void {
    const { clock, source, log } = this.room
    this.#cancelCheck = clock.after(LOG_CHECK_MS, () => {
      source.bound().catch((error: unknown) => log.error({ err: error }, 'It could not be looked how long the log for the standby is.'))
      this.#check()
    })
  }
}

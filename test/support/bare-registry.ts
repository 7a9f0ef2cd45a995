import { randomUUID } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Gate, restrict } from '../../registry/access.ts'
import type { BlobStore } from '../../registry/blob-store.ts'
import { type Clock, systemClock } from '../../registry/clock.ts'
import { registryRoutes } from '../../registry/http/routes.ts'
import { ManifestCache } from '../../registry/local/manifest-cache.ts'
import { LocalRegistry } from '../../registry/local.ts'
import type { Log } from '../../registry/log.ts'
import type { MetadataStore } from '../../registry/metadata-store.ts'
import type { HttpLimits } from '../../runtime/http/limits.ts'
import { type HttpServer, serveHttp } from '../../runtime/http-server.ts'
import { headOfChanges, readChanges } from '../../schema/changes.ts'
import { type Database, openDatabase } from '../../schema/database.ts'
import { metadataStore } from '../../schema/metadata-store.ts'
import { projects } from '../../schema/tables/projects.ts'
import { users } from '../../schema/tables/users.ts'
import { fsBlobStore } from '../../stores/fs-blob-store.ts'
import { createHasher } from '../../stores/hasher.ts'

const MANIFEST_MEMORY = 64 * 1024 * 1024

export interface LogEntry {
  readonly level: keyof Log
  readonly fields: object
  readonly message: string
}

/** A log that keeps what it is told, for a test to look at. */
export function memoryLog(): Log & { readonly entries: LogEntry[] } {
  const entries: LogEntry[] = []
  const at = (level: keyof Log) => (fields: object, message: string) => {
    entries.push({ level, fields, message })
  }
  return { entries, debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') }
}

export interface BareRegistry extends AsyncDisposable {
  readonly server: HttpServer
  readonly local: LocalRegistry
  /** Where its bytes are. */
  readonly blobs: BlobStore
  readonly database: Database
  readonly directory: string
  readonly log: ReturnType<typeof memoryLog>
  /** A second one over the same folder and database, as a second process would be. */
  another(): Promise<BareRegistry>
}

export interface BareRegistryOptions {
  /** Projects that exist. */
  readonly projects: readonly string[]
  readonly gate?: Gate
  readonly limits?: Partial<HttpLimits>
  /** The database's; the system's when absent. */
  readonly clock?: Clock
}

/** A local registry in a folder of its own behind the /v2 routes, without an origin around it: nobody logs in, and the gate lets everybody do everything. */
export async function bareRegistry(options: BareRegistryOptions): Promise<BareRegistry> {
  const directory = await mkdtemp(join(tmpdir(), 'atoll-bare-'))
  const bare = await openIn(directory, options)
  await addProjects(bare.database, options.projects)
  return {
    ...bare,
    async [Symbol.asyncDispose]() {
      await bare[Symbol.asyncDispose]()
      await rm(directory, { recursive: true, force: true })
    },
  }
}

async function openIn(directory: string, options: BareRegistryOptions): Promise<BareRegistry> {
  const { database, metadata } = await bareMetadata(directory, options.clock)
  const manifests = new ManifestCache({
    metadata,
    changes: { head: () => headOfChanges(database), since: (after, limit) => readChanges(database, after, limit) },
    soon: setImmediate,
    limit: MANIFEST_MEMORY,
  })
  const blobs = fsBlobStore(join(directory, 'store'))
  const local = new LocalRegistry({ blobs, metadata, manifests, clock: systemClock, createHasher, newId: randomUUID })
  const log = memoryLog()
  const gate: Gate = options.gate ?? { require: async () => undefined, allows: async () => true }
  const registry = restrict(local.as('system'), gate)
  const routes = registryRoutes({ open: async () => registry, ping: async () => undefined, log })
  const { limits } = options
  const server = await serveHttp({ fetch: (request) => routes.fetch(request), host: '127.0.0.1', port: 0, log, ...(limits && { limits }) })
  return {
    server,
    local,
    blobs,
    database,
    directory,
    log,
    another: () => openIn(directory, options),
    async [Symbol.asyncDispose]() {
      await server.close()
      await database.close()
    },
  }
}

export async function bareMetadata(directory: string, clock: Clock = systemClock): Promise<{ database: Database; metadata: MetadataStore }> {
  const database = await openDatabase({ url: `file:${join(directory, 'atoll.db')}`, clock })
  return { database, metadata: metadataStore(database) }
}

export async function addProjects(database: Database, names: readonly string[]): Promise<void> {
  await database.write(async ({ sql }) => {
    const owner = await sql.insert(users).values({ username: 'owner', createdAt: 0, updatedAt: 0 }).returning({ id: users.id }).get()
    for (const name of names) await sql.insert(projects).values({ name, ownerId: owner.id, public: true, metadata: {}, createdAt: 0, updatedAt: 0 })
  })
}

import { Hono } from 'hono'
import { z } from 'zod'
import { RegistryError } from '../../registry/spec/errors.ts'
import { type AuditFilter, type AuditRow, readAudit } from '../../schema/audit/read.ts'
import { verifyAudit } from '../../schema/audit/verify.ts'
import type { Match } from '../../schema/matching.ts'
import { findProjectByName } from '../../schema/projects.ts'
import { streamed } from '../exports.ts'
import type { OriginServices } from '../services.ts'
import { CSV_HEAD, csvLine, jsonLine } from './formats.ts'

const PATH = '/api/atoll/v1/audit'
/** Entries read at once for an export. */
const PAGE = 1_000

const time = z.iso
  .datetime({ offset: true, error: 'is a time such as 2026-01-31T12:00:00Z' })
  .or(z.iso.date())
  .transform((text) => Date.parse(text))
const exportQuery = z.object({
  format: z.enum(['jsonl', 'csv'], { error: 'is jsonl or csv' }).default('jsonl'),
  operation: z.string().max(64).optional(),
  resource_type: z.string().max(64).optional(),
  username: z.string().max(255).optional(),
  project: z.string().max(255).optional(),
  from: time.optional(),
  to: time.optional(),
})
const verifyQuery = z.object({
  /** An earlier head, as this route gives it: `id:hash`. */
  head: z
    .string()
    .regex(/^\d{1,15}:[A-Za-z0-9_-]{43}$/, 'is the head of an earlier verification, id:hash')
    .optional(),
})

type Services = Pick<OriginServices, 'db' | 'authenticate' | 'authorize'>

/** What administrators do with the whole audit log: hold it against its hashes, and take it elsewhere. */
export function auditApi(services: Services): Hono {
  const { db } = services
  const administrator = async (request: Request): Promise<void> => {
    await services.authorize(await services.authenticate(request), { resource: 'audit-log', action: 'list' }, undefined)
  }
  return new Hono()
    .get(`${PATH}/verification`, async (c) => {
      await administrator(c.req.raw)
      const { head } = read(verifyQuery, c.req.query())
      const [id, hash] = head?.split(':') ?? []
      const kept = id === undefined || hash === undefined ? undefined : { id: Number(id), hash }
      return streamed('application/jsonl', async function* () {
        for await (const { rows, purged, faults, head } of verifyAudit(db, { kept })) {
          yield `${JSON.stringify({ rows, purged, faults, head: `${head.id}:${head.hash}` })}\n`
        }
      })
    })
    .get(`${PATH}/entries`, async (c) => {
      await administrator(c.req.raw)
      const { format, project, ...query } = read(exportQuery, c.req.query())
      const filter: AuditFilter = {
        operation: equal(query.operation),
        resourceType: equal(query.resource_type),
        username: equal(query.username),
        from: query.from,
        to: query.to,
        ...(project !== undefined && { projectIds: [await projectId(services, project)] }),
      }
      const csv = format === 'csv'
      return streamed(csv ? 'text/csv; charset=utf-8' : 'application/jsonl', async function* () {
        if (csv) yield CSV_HEAD
        for await (const page of pages(services, filter)) yield page.map(csv ? csvLine : jsonLine).join('')
      })
    })
}

async function* pages({ db }: Services, filter: AuditFilter): AsyncGenerator<readonly AuditRow[]> {
  for (let last = 0; ; ) {
    const page = await readAudit(db, last, PAGE, filter)
    yield page
    const end = page.at(-1)
    if (end === undefined || page.length < PAGE) return
    last = end.id
  }
}

async function projectId({ db }: Services, name: string): Promise<number> {
  const project = await findProjectByName(db, name)
  if (project === undefined) throw new RegistryError('NAME_UNKNOWN', `There is no project ${name}.`)
  return project.id
}

function read<T>(schema: z.ZodType<T>, query: Readonly<Record<string, string>>): T {
  const result = schema.safeParse(query)
  if (result.success) return result.data
  const [issue] = result.error.issues
  throw new RegistryError('UNSUPPORTED', `${issue?.path.join('.')}: ${issue?.message}`, undefined, { status: 400 })
}

const equal = (value: string | undefined): Match | undefined => (value === undefined ? undefined : { match: 'exact', value })

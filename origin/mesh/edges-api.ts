import { randomBytes } from 'node:crypto'
import { type Context, Hono } from 'hono'
import { z } from 'zod'
import type { Principal } from '../../policy/facts.ts'
import { RegistryError } from '../../registry/spec/errors.ts'
import { headOfChanges } from '../../schema/changes.ts'
import { createEnrolmentToken, drainEdge, type Edge, findEdgeById, listEdges, revokeEdge } from '../../schema/edges.ts'
import type { OriginServices } from '../services.ts'
import { readBody } from './bodies.ts'
import type { EdgePresence } from './edge-presence.ts'
import { enrolmentTokenHash } from './enrol.ts'
import { EDGES_PAGE, ENROLMENT_MS } from './limits.ts'

const newEdge = z.object({
  name: z.string().regex(/^[a-z0-9](?:[a-z0-9.-]{0,61}[a-z0-9])?$/, 'up to 63 lower-case letters, digits, dots and dashes'),
  region: z
    .string()
    .regex(/^[A-Za-z0-9](?:[A-Za-z0-9._-]{0,62}[A-Za-z0-9])?$/, 'up to 64 letters, digits, dots, dashes and underscores')
    .default('default'),
})

const PATH = '/api/atoll/v1/edges'

/** What administrators do with edges. */
export function edgesApi(services: OriginServices, presence: EdgePresence): Hono {
  const { db, clock, baseUrl } = services
  const administrator = async (request: Request, action: 'create' | 'list' | 'read' | 'update' | 'delete'): Promise<Principal> => {
    const principal = await services.authenticate(request)
    await services.authorize(principal, { resource: 'edge', action }, undefined)
    return principal
  }
  const drain = (drained: boolean) => async (c: Context) => {
    const { id: actor } = await administrator(c.req.raw, 'update')
    if (!(await drainEdge(db, c.req.param('id') ?? '', drained, actor))) throw unknownEdge()
    return c.body(null, 204)
  }
  return new Hono()
    .post(PATH, async (c) => {
      const { id: creator } = await administrator(c.req.raw, 'create')
      const { name, region } = await readBody(c.req.raw, newEdge)
      const token = randomBytes(32).toString('base64url')
      const expiresAt = clock.now() + ENROLMENT_MS
      await createEnrolmentToken(db, { hash: enrolmentTokenHash(token), name, region, expiresAt, creator })
      const command = `atoll edge enroll --origin ${baseUrl(c.req.raw)} --token ${token}`
      return c.json({ name, region, token, expires_at: new Date(expiresAt).toISOString(), command }, 201, { 'Cache-Control': 'no-store' })
    })
    .get(PATH, async (c) => {
      await administrator(c.req.raw, 'list')
      const head = await headOfChanges(db)
      const after = c.req.query('after')?.split('/')
      const last = after?.[0] !== undefined && after[1] !== undefined ? { name: after[0], id: after[1] } : undefined
      const edges = await listEdges(db, { limit: EDGES_PAGE, last, revoked: c.req.query('revoked') === 'true' })
      const end = edges.length === EDGES_PAGE ? edges.at(-1) : undefined
      const link = end && `<${PATH}?after=${encodeURIComponent(`${end.name}/${end.id}`)}>; rel="next"`
      return c.json(
        edges.map((edge) => show(edge, head, presence)),
        200,
        link === undefined ? {} : { Link: link },
      )
    })
    .get(`${PATH}/:id`, async (c) => {
      await administrator(c.req.raw, 'read')
      const edge = await findEdgeById(db, c.req.param('id'))
      if (edge === undefined) throw unknownEdge()
      return c.json(show(edge, await headOfChanges(db), presence))
    })
    .put(`${PATH}/:id/draining`, drain(true))
    .delete(`${PATH}/:id/draining`, drain(false))
    .delete(`${PATH}/:id`, async (c) => {
      const { id: actor } = await administrator(c.req.raw, 'delete')
      if (!(await revokeEdge(db, c.req.param('id'), actor))) {
        throw unknownEdge()
      }
      return c.body(null, 204)
    })
}

function unknownEdge(): RegistryError {
  return new RegistryError('NAME_UNKNOWN', 'There is no such edge, or it is revoked already.')
}

function show(edge: Edge, head: number, presence: EdgePresence) {
  const { id, name, region, url, version, enrolledAt, revokedAt, drainedAt, lastSeenAt, cursor, stats } = edge
  const time = (at: number | null) => (at === null ? undefined : new Date(at).toISOString())
  return {
    id,
    name,
    region,
    url,
    version,
    status: presence.status(edge),
    enrolled_at: time(enrolledAt),
    last_seen: time(lastSeenAt),
    revoked_at: time(revokedAt),
    draining: drainedAt !== null,
    draining_since: time(drainedAt),
    cursor,
    lag: Math.max(0, head - cursor),
    report: stats,
  }
}

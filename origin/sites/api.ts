import { Hono } from 'hono'
import { z } from 'zod'
import type { Principal } from '../../policy/facts.ts'
import type { Database } from '../../schema/database.ts'
import { findProjectByName, projectsWithSetting } from '../../schema/projects.ts'
import { readBody } from '../mesh/bodies.ts'
import { isSynchronous, PROJECT_RULES } from '../project-rules/settings.ts'
import type { OriginServices } from '../services.ts'
import { drill } from './drill.ts'
import { DRILL_SAMPLE } from './limits.ts'
import type { Sites } from './open.ts'
import { invite, join } from './pairing.ts'
import { statusOf } from './status.ts'

export const DR = '/api/atoll/v1/dr'

const name = z.string().regex(/^[a-z0-9](?:[a-z0-9.-]{0,61}[a-z0-9])?$/, 'up to 63 lower-case letters, digits, dots and dashes')
const url = z.url({ protocol: /^https?$/ }).max(2048)
const invitation = z.object({ name, url })
const joining = z.object({ name, url, primary: url, token: z.string().min(1).max(256) })
const promotion = z.object({ primary_is_gone: z.boolean().default(false) })
const parting = z.object({ other_is_gone: z.boolean().default(false) })
const drilling = z.object({ sample: z.number().int().min(1).max(DRILL_SAMPLE).default(20) })
const settings = z.object({ away: z.enum(['stop', 'continue']).optional(), lease_seconds: z.number().int().min(2).max(600).optional() })

/** What administrators do with a pair of sites. */
export function drApi(services: OriginServices, sites: Sites): Hono {
  const { room } = sites
  const administrator = async (request: Request, action: 'create' | 'read' | 'update'): Promise<Principal> => {
    const principal = await services.authenticate(request)
    await services.authorize(principal, { resource: 'site', action }, undefined)
    return principal
  }
  return new Hono()
    .get(DR, async (c) => {
      await administrator(c.req.raw, 'read')
      return c.json(await statusOf(room, sites.rejoining))
    })
    .post(`${DR}/invitations`, async (c) => {
      await administrator(c.req.raw, 'create')
      const { token, expiresAt } = await invite(room, await readBody(c.req.raw, invitation))
      return c.json({ token, expires_at: new Date(expiresAt).toISOString() }, 201, { 'Cache-Control': 'no-store' })
    })
    .post(`${DR}/pair`, async (c) => {
      await administrator(c.req.raw, 'create')
      const { primary, token, ...site } = await readBody(c.req.raw, joining)
      await join(room, site, primary, token)
      return c.json(await statusOf(room), 201)
    })
    .post(`${DR}/promote`, async (c) => {
      const { id } = await administrator(c.req.raw, 'update')
      const { primary_is_gone: gone } = await readBody(c.req.raw, promotion)
      const { epoch, handedOver, waitedMs, lostMs } = await sites.promote(id, gone)
      const synchronous = handedOver ? [] : await synchronousProjects(services.db)
      return c.json({ epoch, handed_over: handedOver, waited_seconds: seconds(waitedMs), lost_seconds: seconds(lostMs), synchronous })
    })
    .post(`${DR}/unpair`, async (c) => {
      const { id } = await administrator(c.req.raw, 'update')
      const { other_is_gone: gone } = await readBody(c.req.raw, parting)
      const both = await sites.unpair(id, gone)
      return c.json({ ...(await statusOf(room)), both })
    })
    .post(`${DR}/rejoin`, async (c) => {
      await administrator(c.req.raw, 'update')
      await sites.rejoin()
      return c.json(await statusOf(room, sites.rejoining), 202)
    })
    .post(`${DR}/drill`, async (c) => {
      await administrator(c.req.raw, 'read')
      const { sample } = await readBody(c.req.raw, drilling)
      return c.json(await drill(room, sample))
    })
    .put(`${DR}/settings`, async (c) => {
      await administrator(c.req.raw, 'update')
      const wanted = await readBody(c.req.raw, settings)
      await sites.settle(wanted.away, wanted.lease_seconds)
      return c.json(await statusOf(room))
    })
}

const seconds = (ms: number) => Math.round(ms) / 1000

async function synchronousProjects(db: Database): Promise<string[]> {
  const found = await Promise.all((await projectsWithSetting(db, PROJECT_RULES.synchronous.setting)).map((name) => findProjectByName(db, name)))
  return found.flatMap((project) => (project !== undefined && isSynchronous(project) ? [project.name] : []))
}

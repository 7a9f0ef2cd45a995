import { Hono } from 'hono'
import { RegistryError } from '../../registry/spec/errors.ts'
import { recountProject } from '../../schema/metadata/recount.ts'
import { findProjectByName } from '../../schema/projects.ts'
import type { OriginServices } from '../services.ts'

/** Counts anew what a project holds, online. */
export function quotasApi({ db, authenticate, authorize }: Pick<OriginServices, 'db' | 'authenticate' | 'authorize'>): Hono {
  return new Hono().post('/api/atoll/v1/projects/:project/quota/recount', async (c) => {
    const principal = await authenticate(c.req.raw)
    await authorize(principal, { resource: 'quota', action: 'update' }, undefined)
    const name = c.req.param('project')
    const project = await findProjectByName(db, name)
    const counted = project && (await recountProject(db, project.id, principal.id))
    if (counted === undefined) throw new RegistryError('NAME_UNKNOWN', `There is no project ${name}.`)
    return c.json(counted)
  })
}

import { Hono } from 'hono'
import type { Principal } from '../../policy/facts.ts'
import { RegistryError } from '../../registry/spec/errors.ts'
import { findProjectByName, type Project, updateProject } from '../../schema/projects.ts'
import { readBody } from '../mesh/bodies.ts'
import type { OriginServices } from '../services.ts'
import { mirrorsOf } from './mirrors.ts'
import { isRulesName, PROJECT_RULES, type RulesName, rulesIn } from './settings.ts'

const PATH = '/api/atoll/v1/projects/:project/:rules{upstream-rules|mirror|tag-leases|warming|grace|synchronous}'

/** What a project lets through of its upstream, which registry it stands for, what edges fetch ahead, and how long they go on without their origin. */
export function projectRulesApi({ db, authenticate, authorize, decide }: Pick<OriginServices, 'db' | 'authenticate' | 'authorize' | 'decide'>): Hono {
  const open = async (request: Request, name: string, action: 'read' | 'update'): Promise<{ principal: Principal; project: Project }> => {
    const principal = await authenticate(request)
    const project = await findProjectByName(db, name)
    // Who sees every project may know that there is none.
    if (project !== undefined || principal.kind !== 'user' || !principal.admin) await authorize(principal, { resource: 'metadata', action }, name)
    if (project === undefined) throw new RegistryError('NAME_UNKNOWN', `There is no project ${name}.`)
    return { principal, project }
  }
  const ruled = (project: Project, name: string): RulesName => {
    if (!isRulesName(name)) throw new RegistryError('NAME_UNKNOWN', 'A project has no such rules.')
    if (PROJECT_RULES[name].proxyOnly && project.endpointId === null) {
      throw new RegistryError('UNSUPPORTED', `${project.name} is no proxy cache, and has no upstream to make rules for.`, undefined, { status: 412 })
    }
    return name
  }
  return new Hono()
    .get(PATH, async (c) => {
      const { project } = await open(c.req.raw, c.req.param('project'), 'read')
      const name = ruled(project, c.req.param('rules'))
      return c.json(rulesIn(project, name) ?? PROJECT_RULES[name].schema.parse({}))
    })
    .put(PATH, async (c) => {
      const { principal, project } = await open(c.req.raw, c.req.param('project'), 'update')
      const { schema, setting } = PROJECT_RULES[ruled(project, c.req.param('rules'))]
      const rules = await readBody<object>(c.req.raw, schema)
      await updateProject(db, project.id, { metadata: { [setting]: JSON.stringify(rules) } }, principal.id)
      return c.json(rules)
    })
    .delete(PATH, async (c) => {
      const { principal, project } = await open(c.req.raw, c.req.param('project'), 'update')
      const { setting } = PROJECT_RULES[ruled(project, c.req.param('rules'))]
      await updateProject(db, project.id, { metadata: { [setting]: null } }, principal.id)
      return c.body(null, 204)
    })
    .get('/api/atoll/v1/mirrors', async (c) => {
      const principal = await authenticate(c.req.raw)
      if (principal.kind === 'anonymous') throw new RegistryError('UNAUTHORIZED', 'Log in to see which registries are mirrored.')
      // As far as he may know that they are there.
      const seen: Record<string, { readonly projects: readonly string[]; readonly plain_http: boolean }> = {}
      for (const { host, projects, plain } of await mirrorsOf(db)) {
        const decisions = await Promise.all(projects.map((name) => decide(principal, { resource: 'project', action: 'read' }, name)))
        const shown = projects.filter((_, i) => decisions[i]?.allow)
        if (shown.length > 0) seen[host] = { projects: shown, plain_http: plain }
      }
      return c.json(seen)
    })
}

import { createRoute, z } from '@hono/zod-openapi'
import { showRepositorySelector, showTagSelector } from '../../policy/harbor-rules.ts'
import { checkTagRule } from '../../policy/tag-rules.ts'
import {
  createImmutableRule,
  deleteImmutableRule,
  findImmutableRule,
  type ImmutableRule,
  listImmutableRules,
  type NewImmutableRule,
  updateImmutableRule,
} from '../../schema/immutable-rules.ts'
import { empty, json, refusals } from './answers.ts'
import { type ApiParts, created, id, routes } from './environment.ts'
import { badField, notFound } from './errors.ts'
import { describePage } from './paging.ts'
import { SEARCHES } from './searches.ts'
import { readSelector, selectorList } from './selectors.ts'

const tags = ['immutable']
const PATH = '/projects/{project_name_or_id}/immutabletagrules'
const params = z.object({ project_name_or_id: z.string().max(255) })
const one = params.extend({ immutable_rule_id: id })

const selectors = selectorList('ImmutableSelector')

const Rule = z
  .object({
    id: z.number().int().optional(),
    priority: z.number().int().min(0).max(1_000_000).default(0),
    disabled: z.boolean().default(false),
    action: z.literal('immutable').default('immutable'),
    template: z.literal('immutable_template').default('immutable_template'),
    params: z.record(z.string(), z.unknown()).optional(),
    tag_selectors: selectors.min(1, 'names no tag; ** names them all'),
    scope_selectors: z.object({ repository: selectors.default([]) }).default({ repository: [] }),
  })
  .openapi('ImmutableRule')
const body = { required: true, content: { 'application/json': { schema: Rule } } } as const
/** Without selectors, the rule stays what it is, and is only switched off or on. */
const Change = Rule.extend({ tag_selectors: Rule.shape.tag_selectors.optional() }).openapi('ImmutableRuleChange')
const changed = { required: true, content: { 'application/json': { schema: Change } } } as const

export const immutableTagRules = ({ services: { db }, guard }: ApiParts) => {
  const list = createRoute({
    method: 'get',
    path: PATH,
    tags,
    operationId: 'ListImmuRules',
    summary: 'Which tags of a project may neither move nor go',
    middleware: guard.project('immutable-tag', 'list'),
    request: { params, query: z.object(SEARCHES.immutableRules.query) },
    responses: { 200: json(z.array(Rule), 'One page of rules.'), ...refusals(400, 401, 403, 404) },
  })

  const create = createRoute({
    method: 'post',
    path: PATH,
    tags,
    operationId: 'CreateImmuRule',
    summary: 'Keeps tags as they are from now on',
    middleware: guard.project('immutable-tag', 'create'),
    request: { params, body },
    responses: { 201: empty('Its address is in Location.'), ...refusals(400, 401, 403, 404, 409) },
  })

  const update = createRoute({
    method: 'put',
    path: `${PATH}/{immutable_rule_id}`,
    tags,
    operationId: 'UpdateImmuRule',
    summary: 'Puts a rule in the place of this one, or switches it off and on',
    middleware: guard.project('immutable-tag', 'update'),
    request: { params: one, body: changed },
    responses: { 200: empty('Changed.'), ...refusals(400, 401, 403, 404) },
  })

  const remove = createRoute({
    method: 'delete',
    path: `${PATH}/{immutable_rule_id}`,
    tags,
    operationId: 'DeleteImmuRule',
    summary: 'Lets the tags of a rule move and go again',
    middleware: guard.project('immutable-tag', 'delete'),
    request: { params: one },
    responses: { 200: empty('Deleted.'), ...refusals(400, 401, 403, 404) },
  })

  const switched = async (projectId: number, rule: number, disabled: boolean): Promise<NewImmutableRule | undefined> => {
    const kept = await findImmutableRule(db, projectId, rule)
    if (kept === undefined) return undefined
    const { priority, repositories, tags: named } = kept
    return { projectId, disabled, priority, repositories, tags: named }
  }

  return routes()
    .openapi(list, async (c) => {
      const query = c.req.valid('query')
      const { items, total } = await listImmutableRules(db, c.var.project.id, SEARCHES.immutableRules.listing(query))
      describePage(c, query, total, SEARCHES.immutableRules)
      return c.json(items.map(show), 200)
    })
    .openapi(create, async (c) => {
      const { project, principal } = c.var
      const rule = await createImmutableRule(db, read(project.id, c.req.valid('json')), principal.id)
      return created(c, `/projects/${project.id}/immutabletagrules/${rule}`)
    })
    .openapi(update, async (c) => {
      const { project, principal } = c.var
      const { immutable_rule_id: rule } = c.req.valid('param')
      const { tag_selectors, ...wish } = c.req.valid('json')
      const change = tag_selectors !== undefined ? read(project.id, { ...wish, tag_selectors }) : await switched(project.id, rule, wish.disabled)
      if (change === undefined || !(await updateImmutableRule(db, rule, change, principal.id))) throw notFound(`immutable tag rule ${rule}`)
      return c.body(null, 200)
    })
    .openapi(remove, async (c) => {
      const { project, principal } = c.var
      const { immutable_rule_id: rule } = c.req.valid('param')
      if (!(await deleteImmutableRule(db, project.id, rule, principal.id))) throw notFound(`immutable tag rule ${rule}`)
      return c.body(null, 200)
    })
}

/** @throws ApiError BAD_REQUEST for a pattern that is none */
function read(projectId: number, { priority, disabled, tag_selectors, scope_selectors }: z.infer<typeof Rule>): NewImmutableRule {
  const rule = { projectId, priority, disabled, repositories: scope_selectors.repository.map(readSelector), tags: tag_selectors.map(readSelector) }
  try {
    checkTagRule(rule)
  } catch (error) {
    throw badField('pattern', error instanceof Error ? error.message : 'cannot be read')
  }
  return rule
}

function show({ id: number, priority, disabled, repositories, tags: named }: ImmutableRule): z.infer<typeof Rule> {
  return {
    id: number,
    priority,
    disabled,
    action: 'immutable',
    template: 'immutable_template',
    params: {},
    tag_selectors: named.map((selector) => showTagSelector(selector)),
    scope_selectors: { repository: repositories.map(showRepositorySelector) },
  }
}

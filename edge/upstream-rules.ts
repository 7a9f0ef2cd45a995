import { repositoryRules } from '../mesh/upstream-rules.ts'
import type { RulesOf } from '../registry/rules/ruled.ts'
import { splitProject } from '../registry/spec/names.ts'
import type { Mesh } from './mesh.ts'

/** The rules that an edge holds to are those of the documents that its origin signed. */
export function upstreamRulesOf({ facts, origin }: Pick<Mesh, 'facts' | 'origin'>): RulesOf {
  return async (name) => {
    const document = await facts.project(splitProject(name).project)
    if (document?.rules === undefined || document.upstream === undefined) return undefined
    return repositoryRules(name, { rules: document.rules, kind: document.upstream.kind }, () => origin.now())
  }
}

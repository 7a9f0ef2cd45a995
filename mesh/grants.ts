import { decide } from '../policy/decide.ts'
import type { Principal } from '../policy/facts.ts'
import { isRepositoryName, splitProject } from '../registry/spec/names.ts'
import type { Knowledge } from './gate.ts'
import { parseScopes, type TokenAccess } from './tokens.ts'

/** A client asks for one or two scopes; one that mounts asks for a few more. */
const SCOPES = 100
const ACTIONS = ['pull', 'push', 'delete'] as const

/** What of the scopes asked for this principal may have now. Scopes that make no sense are passed over, as Docker's own service does. */
export async function grantedAccess(
  principal: Principal,
  scopes: readonly string[],
  knowledge: Knowledge,
  limit: number = SCOPES,
): Promise<TokenAccess[]> {
  const granted: TokenAccess[] = []
  for (const { type, name, actions } of parseScopes(scopes).slice(0, limit)) {
    if (type === 'registry' && name === 'catalog') granted.push({ type, name, actions: ['*'] })
    if (type !== 'repository' || !isRepositoryName(name)) continue
    const wanted = ACTIONS.filter((action) => actions.includes(action) || actions.includes('*'))
    if (wanted.length === 0) continue
    const facts = await knowledge.project(splitProject(name).project)
    const allowed = wanted.filter((action) => decide(principal, { resource: 'repository', action }, facts, knowledge.now()).allow)
    if (allowed.length > 0) granted.push({ type, name, actions: allowed })
  }
  return granted
}

import { parseScopes, type TokenAccess } from '../../mesh/tokens.ts'
import type { Principal } from '../../policy/facts.ts'
import { isRepositoryName, splitProject } from '../../registry/spec/names.ts'
import type { Authorities } from './authorities.ts'

/** A client asks for one or two scopes; one that mounts asks for a few more. */
const SCOPES = 100
const ACTIONS = ['pull', 'push', 'delete'] as const

/** What of the scopes asked for this principal may have now. Scopes that make no sense are passed over, as Docker's own service does. */
export async function grantedAccess(principal: Principal, scopes: readonly string[], authorities: Authorities): Promise<TokenAccess[]> {
  const granted: TokenAccess[] = []
  for (const { type, name, actions } of parseScopes(scopes).slice(0, SCOPES)) {
    if (type === 'registry' && name === 'catalog') granted.push({ type, name, actions: ['*'] })
    if (type !== 'repository' || !isRepositoryName(name)) continue
    const { project } = splitProject(name)
    const allowed: string[] = []
    for (const action of ACTIONS) {
      if (!actions.includes(action) && !actions.includes('*')) continue
      const decision = await authorities.decide(principal, { resource: 'repository', action }, project)
      if (decision.allow) allowed.push(action)
    }
    if (allowed.length > 0) granted.push({ type, name, actions: allowed })
  }
  return granted
}

import { covers } from '../../mesh/tokens.ts'
import type { Principal } from '../../policy/facts.ts'
import type { AccessAction, Gate } from '../../registry/access.ts'
import { RegistryError } from '../../registry/spec/errors.ts'
import { type RepositoryName, splitProject } from '../../registry/spec/names.ts'
import type { Authorities } from './authorities.ts'
import type { Caller } from './callers.ts'
import { type Challenge, unauthorized } from './challenge.ts'

/** What to ask a token for, to do this: clients that push also read. */
const SCOPES: Readonly<Record<AccessAction, string>> = { pull: 'pull', push: 'pull,push', delete: 'delete' }

/**
 * Who may do what on /v2, for one request: what its token was made for, and what the current facts allow. `gateFor` answers 401 with a
 * challenge where another login or token might help, and 403 where none would.
 */
export function gateFor(caller: Caller, authorities: Authorities, challenge: Challenge): Gate {
  const { principal, access } = caller
  const decide = (name: RepositoryName, action: AccessAction) => decideOn(authorities, principal, name, action)
  const covered = (name: string, action: AccessAction) => access === undefined || covers(access, { type: 'repository', name, action })
  return {
    async require(name, action) {
      const scope = `repository:${name}:${SCOPES[action]}`
      const decision = await decide(name, action)
      if (!decision.allow) {
        if (decision.reason === 'unauthenticated') throw unauthorized(challenge, decision.message, { scope })
        throw new RegistryError('DENIED', decision.message)
      }
      if (!covered(name, action))
        throw unauthorized(challenge, `The token is not good for ${action} on ${name}.`, { scope, error: 'insufficient_scope' })
    },
    // Asked of repositories that a request does not name in its path: the sources of a mount. A challenge for the path names no source, so the
    // token of a client that only follows challenges is never made for one; what its principal may read is decided by the facts, as always.
    async allows(name, action) {
      return (await decide(name, action)).allow
    },
  }
}

/** For the catalog: the token that lists says nothing of single repositories, so the facts alone decide which are shown. */
export function catalogGate(principal: Principal, authorities: Authorities): Gate {
  return {
    async require(name, action) {
      const decision = await decideOn(authorities, principal, name, action)
      if (!decision.allow) throw new RegistryError('DENIED', decision.message)
    },
    async allows(name, action) {
      return (await decideOn(authorities, principal, name, action)).allow
    },
  }
}

function decideOn(authorities: Authorities, principal: Principal, name: RepositoryName, action: AccessAction) {
  return authorities.decide(principal, { resource: 'repository', action }, splitProject(name).project)
}

import { covers, type TokenAccess } from '../mesh/tokens.ts'
import { type Decision, decide } from '../policy/decide.ts'
import type { Principal } from '../policy/facts.ts'
import type { AccessAction, Gate } from '../registry/access.ts'
import { RegistryError } from '../registry/spec/errors.ts'
import { type RepositoryName, splitProject } from '../registry/spec/names.ts'
import type { Facts } from './snapshot.ts'

/** Who sends a request. */
export interface Caller {
  readonly principal: Principal
  /** What its token was made for; undefined: it came without one, as anybody may. */
  readonly access: readonly TokenAccess[] | undefined
}

export interface GateOptions {
  readonly caller: Caller
  readonly facts: Facts
  /** Milliseconds since the epoch, by the origin's clock. */
  readonly now: () => number
  /** The `WWW-Authenticate` that asks for a token for this. */
  readonly challenge: (scope: string, error?: 'insufficient_scope') => string
}

/** The origin's own decision, made from the documents that it signed. */
export function edgeGate({ caller, facts, now, challenge }: GateOptions): Gate {
  const decision = async (name: RepositoryName, action: AccessAction): Promise<Decision> => {
    const document = await facts.project(splitProject(name).project)
    return decide(caller.principal, { resource: 'repository', action }, document?.facts, now())
  }
  const covered = (name: RepositoryName, action: AccessAction) =>
    caller.access === undefined || covers(caller.access, { type: 'repository', name, action })
  return {
    async require(name, action) {
      const scope = `repository:${name}:${action === 'push' ? 'pull,push' : action}`
      const decided = await decision(name, action)
      if (!decided.allow) {
        if (decided.reason !== 'unauthenticated') throw new RegistryError('DENIED', decided.message)
        throw new RegistryError('UNAUTHORIZED', decided.message, undefined, { headers: { 'WWW-Authenticate': challenge(scope) } })
      }
      if (covered(name, action)) return
      throw new RegistryError('UNAUTHORIZED', 'The token was made for something else.', undefined, {
        headers: { 'WWW-Authenticate': challenge(scope, 'insufficient_scope') },
      })
    },
    async allows(name, action) {
      // The token that lists says nothing of single repositories: the facts alone decide which are shown.
      const listing = caller.access?.some(({ type, name: what }) => type === 'registry' && what === 'catalog') ?? false
      return (listing || covered(name, action)) && (await decision(name, action)).allow
    },
  }
}

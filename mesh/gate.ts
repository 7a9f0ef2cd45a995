// Who may do what under /v2. The rule is here once; origin and edges differ only in where the facts come from.

import { type Decision, decide, type Refusal } from '../policy/decide.ts'
import { ANONYMOUS, type Principal, type ProjectFacts } from '../policy/facts.ts'
import type { AccessAction, Gate } from '../registry/access.ts'
import { RegistryError } from '../registry/spec/errors.ts'
import { type RepositoryName, splitProject } from '../registry/spec/names.ts'
import type { Caller } from './caller.ts'
import { type Challenge, unauthorized } from './challenge.ts'
import { covers } from './tokens.ts'

/** What is true now, as far as it is known here. */
export interface Knowledge {
  /** undefined: there is no such project. @throws RegistryError UNAVAILABLE when that cannot be said */
  project(name: string): Promise<ProjectFacts | undefined>
  /** Milliseconds since the epoch, by the origin's clock. */
  now(): number
}

/** When somebody may come again whom only what is known later can let in. */
const RETRY_AFTER_S = 5

/** What to ask a token for, to do this: clients that push also read. */
const SCOPES: Readonly<Record<AccessAction, string>> = { pull: 'pull', push: 'pull,push', delete: 'delete' }

/**
 * The gate of one request: what its caller's token was made for, and what the facts allow now. It answers 401 with a challenge where
 * another login or token might help, and 403 where none would.
 */
export function gateOf(caller: Caller, knowledge: Knowledge, challenge: Challenge): Gate {
  const { principal, access } = caller
  const covered = (name: string, action: AccessAction) => access === undefined || covers(access, { type: 'repository', name, action })
  let required: string | undefined
  return {
    async require(name, action) {
      const scope = `repository:${name}:${SCOPES[action]}`
      required = scope
      const decision = await decideOn(knowledge, principal, name, action)
      if (!decision.allow) {
        if (decision.reason === 'unauthenticated') throw unauthorized(challenge, decision.message, { scope })
        throw refusal(decision)
      }
      if (!covered(name, action))
        throw unauthorized(challenge, `The token is not good for ${action} on ${name}.`, { scope, error: 'insufficient_scope' })
    },
    // Asked of the sources of mounts. What anybody may read needs no token, and so none that names it.
    async allows(name, action) {
      const allowed = (await decideOn(knowledge, principal, name, action)).allow
      if (!allowed || covered(name, action) || (await decideOn(knowledge, ANONYMOUS, name, action)).allow) return allowed
      // Named by the request, and its sender may read it: a token for both is all that is missing. Candidates that we thought of are passed over.
      if (challenge().besides !== `repository:${name}:${action}`) return false
      const scope = required === undefined ? {} : { scope: required }
      throw unauthorized(challenge, `The token is not good for ${action} on ${name}.`, { ...scope, error: 'insufficient_scope' })
    },
  }
}

/** For whoever needs no token, or has one for something that names no repository: the facts alone decide. */
export function principalGate(principal: Principal, knowledge: Knowledge): Gate {
  return {
    async require(name, action) {
      const decision = await decideOn(knowledge, principal, name, action)
      if (!decision.allow) throw refusal(decision)
    },
    async allows(name, action) {
      return (await decideOn(knowledge, principal, name, action)).allow
    },
  }
}

/** The gate of a request for the catalog, which shows each caller what he may pull. @throws RegistryError UNAUTHORIZED with a challenge */
export function catalogGate({ principal, access, presented }: Caller, knowledge: Knowledge, challenge: Challenge): Gate {
  const listing = access === undefined || access.some(({ type, name }) => type === 'registry' && name === 'catalog')
  if (!presented || !listing) throw unauthorized(challenge, 'authentication required', { scope: 'registry:catalog:*' })
  return principalGate(principal, knowledge)
}

function refusal({ reason, message }: Refusal): RegistryError {
  if (reason !== 'unavailable') return new RegistryError('DENIED', message)
  return new RegistryError('UNAVAILABLE', message, undefined, { headers: { 'Retry-After': String(RETRY_AFTER_S) } })
}

async function decideOn(knowledge: Knowledge, principal: Principal, name: RepositoryName, action: AccessAction): Promise<Decision> {
  const facts = await knowledge.project(splitProject(name).project)
  return decide(principal, { resource: 'repository', action }, facts, knowledge.now())
}

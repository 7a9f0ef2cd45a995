import { inGoodStanding } from '../../mesh/caller.ts'
import type { TokenRequest } from '../../mesh/enrolment.ts'
import type { Knowledge } from '../../mesh/gate.ts'
import { grantedAccess } from '../../mesh/grants.ts'
import type { Log } from '../../registry/log.ts'
import { RegistryError } from '../../registry/spec/errors.ts'
import { RETRY_AFTER_S, SCOPES_OF_A_TOKEN } from '../limits.ts'
import type { Mesh } from '../mesh.ts'
import { PAST_GRACE } from '../snapshot.ts'
import type { IssuedToken, Login } from '../token-service.ts'
import type { Tokens } from '../tokens.ts'
import type { KnownLogins } from './grants.ts'

export interface AwayLoginOptions {
  readonly origin: Login
  readonly known: KnownLogins
  readonly mesh: Mesh
  readonly tokens: Pick<Tokens, 'verify' | 'signAway'>
  readonly knowledge: Knowledge
  readonly log: Log
}

/**
 * Logins that go on while the origin is away, for those who have logged in here before: what they may do is decided from the documents
 * that this edge holds, and the token that they get is this edge's own. Whom it does not know it refuses as the origin's absence (503),
 * not as wrong (401), so that no client throws its login away.
 */
export function awayLogin({ origin, known, mesh, tokens, knowledge, log }: AwayLoginOptions): Login {
  const remember = async (request: TokenRequest, { token }: IssuedToken): Promise<void> => {
    try {
      const verified = await tokens.verify(token)
      if (verified === undefined) return
      const { subject, credentialVersion } = verified
      await known.keep(request, { subject, ...(credentialVersion !== undefined && { credentialVersion }) })
    } catch (error) {
      log.warn({ error }, 'A login could not be written down; while the origin is away it will not be known.')
    }
  }
  const recall = async (request: TokenRequest): Promise<IssuedToken | undefined> => {
    const granted = await known.find(request, request.client)
    if (granted === 'over') throw loginOver()
    const document = granted && (await mesh.facts.principal(granted.subject))
    // The account is gone, or its secret has been changed since: then only the origin can tell.
    if (granted === undefined || document === undefined || document.credentialVersion !== granted.credentialVersion) return undefined
    const principal = inGoodStanding(document.facts, knowledge.now())
    return await tokens.signAway(granted, await grantedAccess(principal, request.scopes, knowledge, SCOPES_OF_A_TOKEN))
  }
  return {
    async login(request) {
      const connected = mesh.status().state !== 'disconnected'
      // Known to be away: nobody waits for it in vain.
      const recalled = connected ? undefined : await recall(request)
      if (recalled !== undefined) return recalled
      try {
        const issued = await origin.login(request)
        await remember(request, issued)
        return issued
      } catch (error) {
        const away = connected && error instanceof RegistryError && error.code === 'UNAVAILABLE'
        const issued = away ? await recall(request) : undefined
        if (issued === undefined) throw error
        return issued
      }
    },
  }
}

/** Whoever shows the right secret may know that it is not he who is at fault. */
function loginOver(): RegistryError {
  return new RegistryError(
    'UNAVAILABLE',
    'The origin of this edge cannot be reached, and this login was last checked longer ago than the grace of this edge: it cannot be trusted any more. It will be checked as soon as the origin is back.',
    PAST_GRACE,
    { headers: { 'Retry-After': String(RETRY_AFTER_S) } },
  )
}

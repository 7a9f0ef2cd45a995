import type { Authorizer, Credentials } from './authorizer.ts'
import { ChallengeAuthorizer, type ChallengeMemory } from './challenge-authorizer.ts'
import { Client } from './client.ts'
import type { Transport } from './transport.ts'
import type { Vendor, VendorContext, VendorSession } from './vendors/vendor.ts'

export interface SessionOptions {
  readonly vendor: Vendor
  /** As a person typed it. */
  readonly typed: URL
  readonly base: URL
  readonly credentials?: Credentials | undefined
  /** For token services and a vendor's own API. */
  readonly transport: Transport
  readonly tokenHosts?: readonly string[] | undefined
  readonly memory?: ChallengeMemory | undefined
  readonly asksFirst?: boolean | undefined
}

/** What a vendor's file is given. */
export function vendorContext({
  vendor,
  typed,
  base,
  credentials,
  transport,
  tokenHosts = [],
  memory,
  asksFirst = false,
}: SessionOptions): VendorContext {
  return {
    typed,
    base,
    credentials,
    transport,
    client: (authorizer, signal) => new Client({ base, vendor, transport, authorizer, signal }),
    challenge: (options = { credentials }) =>
      new ChallengeAuthorizer(transport, {
        ...options,
        tokenHosts: [...vendor.tokenHosts, ...tokenHosts],
        memory,
        askAt: new URL(`${base.href.replace(/\/$/, '')}/v2/`),
        asksFirst,
      }),
  }
}

/** An endpoint as its vendor wants it used. */
export function openSession(options: SessionOptions): VendorSession & { readonly authorizer: Authorizer } {
  const context = vendorContext(options)
  const session = options.vendor.open?.(context) ?? {}
  return { ...session, authorizer: session.authorizer ?? context.challenge() }
}

import { RegistryError } from '../../../registry/spec/errors.ts'

/**
 * Refuses a login that a page of another site sends: who is logged in without knowing it works in somebody else's account. A browser says where a page
 * is from, by Fetch Metadata (`Sec-Fetch-Site`) or by `Origin`; other clients say neither, and are let through.
 * `baseUrl`: the URL that the sender knows us by. @throws RegistryError DENIED (403)
 */
export function refuseOtherSites({ headers }: Request, baseUrl: string): void {
  const site = headers.get('sec-fetch-site')
  if (site !== null) {
    if (site === 'same-origin' || site === 'none') return
    throw refused()
  }
  const origin = headers.get('origin')
  if (origin === null) return
  const ours = [headers.get('host'), new URL(baseUrl).host]
  // A proxy may have taken the https away: the host tells.
  if (!URL.canParse(origin) || !ours.includes(new URL(origin).host)) throw refused()
}

/** What changes nothing needs no proof that the page is ours (RFC 9110, 9.2.1). */
const SAFE = new Set(['GET', 'HEAD', 'OPTIONS'])

/** Whether this request may change something. */
export const changes = ({ method }: Request): boolean => !SAFE.has(method)

/**
 * Refuses a change that a page of another site sends, whoever it is from: a browser adds the password (Basic) that its user once gave, and asks nobody
 * before a POST without a body. @throws RegistryError DENIED (403)
 */
export function refuseForeignChanges(request: Request): void {
  if (!changes(request) || request.headers.get('sec-fetch-site') !== 'cross-site') return
  throw new RegistryError('DENIED', 'A page of another site changes nothing here. Send this from a page of this registry, or from no browser.')
}

const refused = () => new RegistryError('DENIED', 'A login is sent by a page of this registry, and by no other site. Log in here.')

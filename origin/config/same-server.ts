/** What a URL does not know of schemes that browsers have not. */
const USUAL_PORTS: Readonly<Record<string, string>> = { 'ldap:': '389', 'ldaps:': '636' }

/**
 * Whether two addresses are of one server, by scheme, host and port: then a credential for one of them may be shown to the other. Another port may be
 * another's program, and another scheme shows it to whoever listens.
 */
export function sameServer(one: string, other: string | undefined): boolean {
  const server = serverOf(one)
  return server !== undefined && other !== undefined && server === serverOf(other)
}

function serverOf(address: string): string | undefined {
  if (!URL.canParse(address)) return undefined
  const { protocol, hostname, port } = new URL(address)
  return `${protocol}//${hostname.toLowerCase()}:${port || (USUAL_PORTS[protocol] ?? '')}`
}

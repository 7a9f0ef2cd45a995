/** Names under which clouds answer with the credentials of their machines. */
const METADATA_NAMES: ReadonlySet<string> = new Set(['metadata.google.internal', 'metadata.goog', 'instance-data.ec2.internal'])
/** 169.254.0.0/16 in the words of IPv6: mapped, translated (RFC 6052), and the one address that is AWS's own. */
const V6 = /^\[(?:fe[89ab][\da-f]:.*|::(?:ffff:)?a9fe:[\da-f]{1,4}|64:ff9b::a9fe:[\da-f]{1,4}|fd00:ec2::254)\]$/

/**
 * Whether a host, as a URL has it, is one of its own machine or wire alone (RFC 3927, RFC 4291), where clouds keep what a machine may know and
 * nobody else: no registry keeps blobs there. What another name leads to is for who looks it up to see.
 */
export function isLinkLocal(hostname: string): boolean {
  return /^169\.254\.\d+\.\d+$/.test(hostname) || V6.test(hostname) || METADATA_NAMES.has(hostname.replace(/\.$/, ''))
}

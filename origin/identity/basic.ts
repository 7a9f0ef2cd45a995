/** The name and the secret of an `Authorization: Basic …` value (RFC 7617, UTF-8); undefined: it is none. */
export function parseBasic(header: string): { readonly name: string; readonly secret: string } | undefined {
  const encoded = /^basic ([A-Za-z0-9+/]+=*)$/i.exec(header.trim())?.[1]
  if (encoded === undefined) return undefined
  const text = Buffer.from(encoded, 'base64').toString('utf8')
  const colon = text.indexOf(':')
  return colon < 0 ? undefined : { name: text.slice(0, colon), secret: text.slice(colon + 1) }
}

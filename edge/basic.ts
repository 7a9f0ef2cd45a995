/** The name and the secret of an `Authorization: Basic …` value (RFC 7617, in UTF-8); undefined: it is none. */
export function parseBasic(header: string): { readonly username: string; readonly password: string } | undefined {
  const encoded = /^basic +([a-z0-9+/=]+)$/i.exec(header)?.[1]
  const text = encoded === undefined ? undefined : decoded(encoded)
  const colon = text?.indexOf(':') ?? -1
  return text === undefined || colon < 1 ? undefined : { username: text.slice(0, colon), password: text.slice(colon + 1) }
}

function decoded(base64: string): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(Uint8Array.from(atob(base64), (char) => char.charCodeAt(0)))
  } catch {
    return undefined
  }
}

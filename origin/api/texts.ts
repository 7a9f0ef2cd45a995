/**
 * Where in a request a text stands that is none: one with a NUL character, or with half of a surrogate pair. JSON can write both (`\u0000`, `\ud800`), and
 * no other program could read them back from here. undefined: nowhere. Without recursion, because a body may be nested as deep as it is long.
 */
export function whereNoText(data: unknown): string | undefined {
  const left: { readonly at: string; readonly value: unknown }[] = [{ at: '', value: data }]
  for (let next = left.pop(); next !== undefined; next = left.pop()) {
    const { at, value } = next
    if (typeof value === 'string' && !isText(value)) return at
    if (typeof value !== 'object' || value === null) continue
    for (const [key, inner] of Object.entries(value)) {
      if (!isText(key)) return at
      left.push({ at: at === '' ? key : `${at}.${key}`, value: inner })
    }
  }
  return undefined
}

const isText = (text: string): boolean => text.isWellFormed() && !text.includes('\0')

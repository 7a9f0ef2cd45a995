/** Shorter words of a header are found in any text. */
const WORD_LEAST = 8

/** Where a webhook goes, for logs and queues. Chat services keep a secret in the path; who may see these may see the address too, but a query often has a token. */
export function shownAddress(address: string): string {
  const url = new URL(address)
  return `${url.origin}${url.pathname}${url.search === '' ? '' : '?***'}`
}

/** A receiver's answer without the header that it was sent: `Bearer abc`, or `abc` alone, or either as JSON writes it. */
export function withoutSecret(text: string, header: string | undefined): string {
  if (header === undefined) return text
  const words = [header, ...header.split(/\s+/).filter((word) => word.length >= WORD_LEAST)]
  const forms = words.flatMap((word) => [word, JSON.stringify(word).slice(1, -1)])
  return forms.reduce((shown, form) => shown.replaceAll(form, '***'), text)
}

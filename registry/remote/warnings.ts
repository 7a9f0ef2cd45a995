import type { Warning } from '../registry.ts'

const LIMIT = 8

/** `Warning: 299 - "…"` of an answer (distribution-spec, "Warnings"), at most eight of them and only well-formed ones. */
export function warningsOf(headers: Headers): { readonly warnings?: readonly Warning[] } {
  const text = headers.get('warning')
  if (text === null) return {}
  const warnings = Array.from(text.slice(0, 4096).matchAll(/(?:^|,)\s*(\d{3}) \S+ "((?:[^"\\]|\\.)*)"/g), ([, code, quoted = '']) => ({
    code: Number(code),
    text: quoted.replace(/\\(.)/g, '$1').replace(/\p{Cc}+/gu, ' '),
  })).slice(0, LIMIT)
  return warnings.length > 0 ? { warnings } : {}
}

/** What every answer of an edge says, unless it says otherwise: whoever opens a blob in a browser gets bytes, never a page of ours. */
export const SECURITY_HEADERS = {
  'X-Content-Type-Options': 'nosniff',
  'X-Frame-Options': 'DENY',
  'Referrer-Policy': 'no-referrer',
  'Content-Security-Policy': "default-src 'none'; sandbox",
} as const

// Long answers for people and spreadsheets, made as they are taken.

/** RFC 4180. What a spreadsheet would take for a formula is kept a text by an apostrophe, but for the cell at `asIs`. */
export function csvRow(cells: readonly unknown[], asIs?: number): string {
  const row = cells.map((value, at) => {
    const text = String(value ?? '')
    const safe = typeof value === 'string' && at !== asIs && /^[=+\-@\t\r]/.test(text) ? `'${text}` : text
    return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe
  })
  return `${row.join(',')}\r\n`
}

/** An answer of which each piece is made when the client takes it. */
export function streamed(contentType: string, make: () => AsyncGenerator<string>): Response {
  const source = make()
  const encoder = new TextEncoder()
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      const { done, value } = await source.next()
      if (done) controller.close()
      else controller.enqueue(encoder.encode(value))
    },
    async cancel() {
      await source.return(undefined)
    },
  })
  return new Response(body, { headers: { 'Content-Type': contentType, 'Cache-Control': 'no-store' } })
}

import type { RunTask } from '../../schema/runs.ts'
import { PREHEAT_TIME_MS } from '../limits.ts'
import type { Attempt } from '../runs/dispatch.ts'

export interface WarmOptions {
  /** A token to pull from this repository. */
  readonly pullToken: (repository: string) => Promise<string>
  readonly fetchFor: (options: { readonly insecure: boolean; readonly caCertificate: null }) => typeof fetch
}

/** Has an edge fetch an image, and tells what it says of that. */
export async function warmAtEdge({ pullToken, fetchFor }: WarmOptions, { target, detail }: RunTask, signal: AbortSignal): Promise<Attempt> {
  const repository = String(detail.repository)
  const image = `${repository}:${String(detail.tag)}`
  const lines = [`Warming ${image} at ${target}.`]
  const tell = (outcome: Attempt['outcome'], text: string): Attempt => ({
    outcome,
    text,
    log: [...lines, ...(text === '' ? [] : [text])].join('\n').concat('\n'),
  })
  try {
    const response = await fetchFor({ insecure: detail.insecure === true, caCertificate: null })(new URL('/api/atoll/v1/warm', target), {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', Authorization: `Bearer ${await pullToken(repository)}` },
      body: JSON.stringify({ image }),
      signal: AbortSignal.any([signal, AbortSignal.timeout(PREHEAT_TIME_MS)]),
    })
    if (!response.ok) {
      const said = `The edge answered ${response.status}: ${(await response.text()).slice(0, 500)}`
      return tell(response.status >= 500 || response.status === 429 ? 'failed' : 'refused', said)
    }
    for (const line of (await response.text()).split('\n')) {
      if (line === '') continue
      const event = JSON.parse(line) as { readonly event: string; readonly message?: string }
      // Of the bytes there is news all the time.
      if (event.event !== 'progress') lines.push(line)
      if (event.event === 'done') return tell('done', '')
      if (event.event === 'error') return tell('failed', event.message ?? 'The edge could not warm it.')
    }
    return tell('failed', 'The edge broke off.')
  } catch (error) {
    signal.throwIfAborted()
    return tell('failed', `The edge did not answer: ${error instanceof Error ? error.message : String(error)}`)
  }
}

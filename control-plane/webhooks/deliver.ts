import { PrivateAddress } from '../../runtime/public-networks.ts'
import type { Database } from '../../schema/database.ts'
import { findRun, type RunTask } from '../../schema/runs.ts'
import { webhookPolicy } from '../../schema/webhooks.ts'
import { WEBHOOK_ANSWER_LIMIT, WEBHOOK_TIME_MS } from '../limits.ts'
import type { Attempt } from '../runs/dispatch.ts'
import type { WebhookEvent } from './events.ts'
import { payloadFor } from './payloads.ts'
import { shownAddress, withoutSecret } from './secrets.ts'

/** What an authorization header of a webhook is sealed for. */
export const WEBHOOK_SECRET = 'webhook auth header'

export interface DeliverOptions {
  readonly db: Database
  readonly unseal: (sealed: string, purpose: string) => Promise<string>
  /** Goes only where webhooks may go. */
  readonly fetchFor: (options: { readonly verifyTls: boolean }) => typeof fetch
  /** Where clients reach this registry. */
  readonly host: string
}

/** Sends one task of a webhook, once. */
export async function deliver(
  { db, unseal, fetchFor, host }: DeliverOptions,
  task: RunTask,
  policyId: number,
  signal: AbortSignal,
): Promise<Attempt> {
  const policy = await webhookPolicy(db, policyId)
  const run = await findRun(db, 'webhook', policyId, task.runId)
  const target = policy?.targets[Number(task.detail.at)]
  if (policy === undefined || run === undefined || target === undefined) {
    return { outcome: 'refused', text: 'Its webhook has no such target any more.', log: 'Its webhook has no such target any more.\n' }
  }
  const event = run.detail as unknown as WebhookEvent
  const { contentType, body } = payloadFor(event, target, { host, policyId, projectId: policy.projectId, id: `${host}:${task.id}` })
  const headers = new Headers({ 'Content-Type': contentType, 'User-Agent': 'Atoll' })
  const secret = target.sealedAuthHeader === undefined ? undefined : await unseal(target.sealedAuthHeader, WEBHOOK_SECRET)
  if (secret !== undefined) headers.set('Authorization', secret)
  const request = `POST ${shownAddress(target.address)}\nContent-Type: ${contentType}\n${headers.has('Authorization') ? 'Authorization: ***\n' : ''}\n${body}\n`
  try {
    const response = await fetchFor({ verifyTls: !target.skipCertVerify })(target.address, {
      method: 'POST',
      headers,
      body,
      // Where it leads is not where it was sent.
      redirect: 'manual',
      signal: AbortSignal.any([signal, AbortSignal.timeout(WEBHOOK_TIME_MS)]),
    })
    // Receivers for trying things out say back what they got.
    const answer = withoutSecret(await beginningOf(response), secret)
    const said = `HTTP ${response.status}`
    const outcome = response.ok ? 'done' : worthAnother(response.status) ? 'failed' : 'refused'
    return { outcome, text: response.ok ? '' : `${said}: the receiver did not take it.`, log: `${request}\n${said}\n${answer}\n` }
  } catch (error) {
    signal.throwIfAborted()
    const refusal = causeOf(error, PrivateAddress)
    const text = refusal?.message ?? whatFailed(error)
    return { outcome: refusal ? 'refused' : 'failed', text, log: `${request}\n${text}\n` }
  }
}

/** Time may help with these; what is wrong with the request stays so. */
function worthAnother(status: number): boolean {
  return status >= 500 || status === 408 || status === 425 || status === 429
}

async function beginningOf(response: Response): Promise<string> {
  if (response.body === null) return ''
  const decoder = new TextDecoder()
  let text = ''
  let bytes = 0
  // Leaving the loop cancels the rest.
  for await (const chunk of response.body) {
    bytes += chunk.byteLength
    text += decoder.decode(chunk, { stream: true })
    if (bytes >= WEBHOOK_ANSWER_LIMIT) break
  }
  return text.slice(0, WEBHOOK_ANSWER_LIMIT)
}

function whatFailed(error: unknown): string {
  if (error instanceof Error && error.name === 'TimeoutError') return `No answer within ${WEBHOOK_TIME_MS / 1000} s.`
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error
  return cause instanceof Error ? `Not delivered: ${'code' in cause ? `${String(cause.code)}: ` : ''}${cause.message}` : 'Not delivered.'
}

function causeOf<E extends Error>(error: unknown, type: new (...parts: never[]) => E): E | undefined {
  for (let at = error; at instanceof Error; at = at.cause) if (at instanceof type) return at
  return undefined
}

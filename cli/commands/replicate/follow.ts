import { pause } from '../../../registry/clock.ts'
import type { Context } from '../../context.ts'
import { CliError } from '../../exit-codes.ts'
import { bytes } from '../../output.ts'

export interface Execution {
  readonly id: number
  readonly policy_id: number
  readonly status: string
  readonly trigger: string
  readonly start_time?: string
  readonly end_time?: string
  readonly total?: number
  readonly succeed?: number
  readonly failed?: number
  readonly in_progress?: number
  readonly stopped?: number
  readonly status_text?: string
  readonly bytes_total?: number
  readonly bytes_done?: number
  readonly bytes_per_second?: number
  readonly eta_seconds?: number
}

/** What is over soon is said soon; what takes long is looked at twice a second. */
const FIRST_POLL_MS = 50
const POLL_MS = 500
export const EXECUTIONS = '/api/v2.0/replication/executions'

/** Begins an execution, and with `wait` follows it to its end. */
export async function start(context: Context, request: NonNullable<unknown>, wait: boolean): Promise<void> {
  const { api, out } = context
  const { headers } = await api.call('POST', EXECUTIONS, request)
  const location = headers.get('location')
  if (location === null) throw new CliError('The server did not say where the execution is.')
  if (wait) return await follow(context, location)
  const execution = await api.get<Execution>(location)
  out.item(execution, `Execution ${execution.id}: ${execution.status}. Follow it with: atoll replicate watch ${execution.id}`)
}

/** Until the end of an execution. @throws CliError when it has not succeeded */
export async function follow({ api, out, clock }: Context, location: string): Promise<void> {
  let execution = await api.get<Execution>(location)
  let told = ''
  for (let wait = FIRST_POLL_MS; execution.status === 'InProgress'; wait = Math.min(wait * 2, POLL_MS)) {
    await pause(clock, wait)
    execution = await api.get<Execution>(location)
    const progress = progressOf(execution)
    if (progress !== told) out.note(progress)
    told = progress
  }
  out.item(execution, `Execution ${execution.id}: ${execution.status}`)
  if (execution.status === 'Failed') {
    const reason = execution.status_text ? `${execution.status_text}; ` : ''
    throw new CliError(
      `Execution ${execution.id} failed: ${reason}see why: atoll replicate logs ${execution.id}, then: atoll replicate retry ${execution.id}`,
    )
  }
  if (execution.status === 'Stopped')
    throw new CliError(`Execution ${execution.id} was stopped; what has arrived stays.${execution.status_text ? ` ${execution.status_text}` : ''}`)
}

export function progressOf(execution: Execution): string {
  const {
    status,
    status_text: text = '',
    succeed = 0,
    total = 0,
    failed = 0,
    bytes_done = 0,
    bytes_total = 0,
    bytes_per_second: rate = 0,
    eta_seconds: eta,
  } = execution
  const moved = bytes_total === 0 ? '' : `, ${bytes(bytes_done)} of ${bytes(bytes_total)} moved`
  const speed = status !== 'InProgress' || rate === 0 ? '' : ` at ${bytes(rate)}/s`
  const left = status !== 'InProgress' || eta === undefined ? '' : `, about ${eta} s left`
  return `${status}: ${succeed} of ${total} tasks done${moved}${speed}${left}${failed === 0 ? '' : `, ${failed} failed`}${status !== 'InProgress' || text === '' ? '' : `; ${text}`}`
}

/** Does a run of a retention policy. */
export const RETAIN = 'retention'

export interface RetainPayload {
  readonly policyId: number
  /** Of a run that somebody began by hand; a schedule's makes its own. */
  readonly executionId?: number
}

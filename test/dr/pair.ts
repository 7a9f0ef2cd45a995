import { atollCli, atollJson } from '../replication/sites.ts'
import { type AtollOptions, type AtollProcess, startAtoll } from '../support/atoll.ts'
import { until } from '../support/until.ts'

export interface DrStatus {
  readonly site: string
  readonly role: string
  readonly state: string
  readonly epoch: number
  readonly rpo_seconds: number | null
  readonly reached: number
  readonly lease_left_seconds: number | null
  readonly takes_writes: boolean
  readonly problem: string | null
}

/** Two origins of their own, as a person would start them. */
export interface SitePair extends AsyncDisposable {
  readonly primary: AtollProcess
  readonly standby: AtollProcess
}

export async function twoSites(options: AtollOptions = {}): Promise<SitePair> {
  // Relative to where they are started, as it is by default.
  const env = { ATOLL_DATA_VOLUME: 'data', ...options.env }
  const primary = await startAtoll({ role: 'origin', ...options, env })
  const standby = await startAtoll({ role: 'origin', ...options, env })
  return {
    primary,
    standby,
    async [Symbol.asyncDispose]() {
      await standby[Symbol.asyncDispose]()
      await primary[Symbol.asyncDispose]()
    },
  }
}

/** Where each site is reached by the other; absent: where it is. */
export interface Addresses {
  readonly primary?: string
  readonly standby?: string
}

export async function pair(primary: AtollProcess, standby: AtollProcess, at: Addresses = {}): Promise<void> {
  const [east, west] = [at.primary ?? `http://${primary.origin}`, at.standby ?? `http://${standby.origin}`]
  const { token } = await atollJson<{ token: string }>(primary, 'dr', 'pair', '--name', 'east', '--url', east)
  await atollCli(standby, 'dr', 'pair', '--name', 'west', '--url', west, '--with', east, '--token', token)
}

export function status(site: AtollProcess): Promise<DrStatus> {
  return atollJson<DrStatus>(site, 'dr', 'status')
}

/** The same by the API, without starting a command: for what is asked often. */
export async function look(site: AtollProcess): Promise<DrStatus> {
  return (await (await site.api('GET', '/api/atoll/v1/dr')).json()) as DrStatus
}

/** Waits until the standby could take over, with everything that the primary has now. */
export async function inStep(primary: AtollProcess, standby: AtollProcess): Promise<void> {
  await until(
    'the standby has everything',
    async () => {
      const [one, two] = await Promise.all([look(primary), look(standby)])
      return one.state === 'following' && two.state === 'following' && one.rpo_seconds === 0 && one.reached === two.reached
    },
    60_000,
  )
}

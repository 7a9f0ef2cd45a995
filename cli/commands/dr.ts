import { setTimeout } from 'node:timers/promises'
import type { Command } from 'commander'
import { contextOf, parsePositive } from '../context.ts'
import { CliError, EXIT } from '../exit-codes.ts'
import { bytes } from '../output.ts'

const DR = '/api/atoll/v1/dr'
const POLL_MS = 1_000

interface Status {
  readonly site: string
  readonly role: string
  readonly epoch: number
  readonly peer: { readonly name: string; readonly url: string; readonly heard_seconds_ago: number | null } | null
  readonly rpo_seconds: number | null
  readonly state: string
  readonly filled: { readonly tables: number; readonly of: number } | null
  readonly when_standby_is_away: string | null
  readonly lease_seconds: number | null
  readonly lease_left_seconds: number | null
  readonly takes_writes: boolean
  readonly rejoining: { readonly state: string; readonly quarantined_artifacts: number; readonly quarantined_bytes: number } | null
  readonly problem: string | null
}

interface PairOptions {
  readonly name?: string
  readonly url?: string
  readonly with?: string
  readonly token?: string
}

export function drCommands(program: Command): void {
  const dr = program
    .command('dr')
    .description('two sites, of which one takes over when the other is lost')
    .addHelpText(
      'after',
      `
Two empty-handed commands make a pair:
  at the primary:  atoll --server https://a.example.com dr pair
  at the standby:  atoll --server https://b.example.com dr pair --with https://a.example.com --token TOKEN
Then:              atoll dr status        how old the oldest change is that the standby lacks
When A is lost:    atoll --server https://b.example.com dr promote
When A is back:    atoll --server https://a.example.com dr rejoin
See docs/disaster-recovery.md.`,
    )

  dr.command('pair')
    .description('make a token for a standby (at the primary), or become one (at the standby, with --with and --token)')
    .option('--name <name>', 'what this site is called; its host name when absent')
    .option('--url <url>', 'where the other site, edges and clients reach this one; the address of --server when absent')
    .option('--with <url>', 'at the standby: the primary')
    .option('--token <token>', 'at the standby: what the primary gave')
    .action(async (options: PairOptions, command: Command) => {
      const { api, out } = await contextOf(command)
      const url = options.url ?? api.url
      const site = { name: options.name ?? new URL(url).hostname.toLowerCase(), url }
      if (options.with === undefined && options.token === undefined) {
        const made = (await api.call<{ token: string; expires_at: string }>('POST', `${DR}/invitations`, site)).body
        out.note(
          `Good once, until ${made.expires_at}. At the site that is to be the standby, which must be empty:\n  atoll --server https://STANDBY dr pair --with ${url} --token TOKEN`,
        )
        out.item(made, made.token)
        return
      }
      if (options.with === undefined || options.token === undefined) {
        throw new CliError('A standby needs both: --with, the address of the primary, and --token, what `atoll dr pair` gave there.', EXIT.usage)
      }
      const { body } = await api.call<Status>('POST', `${DR}/pair`, { ...site, primary: options.with, token: options.token })
      out.item(
        body,
        `This site becomes the standby of ${body.peer?.name}. Users, passwords and everything else are the primary's from now on. See: atoll dr status`,
      )
    })

  dr.command('status')
    .description('which site this is, what the other lacks, and whether changes are taken')
    .action(async (_options: unknown, command: Command) => {
      const { api, out } = await contextOf(command)
      const status = await api.get<Status>(DR)
      out.item(status, described(status))
    })

  dr.command('drill')
    .description('at the standby: start an origin beside it on what it has, pull a sample, verify it, and take all of it away again')
    .option('--sample <n>', 'artifacts to pull, chosen by chance', parsePositive, 20)
    .action(async (options: { sample: number }, command: Command) => {
      const { api, out } = await contextOf(command)
      const { body } = await api.call<Drilled>('POST', `${DR}/drill`, { sample: options.sample })
      out.item(body, drilled(body))
      if (body.problems.length > 0) throw new CliError(`This standby could not take over: ${body.problems.join('; ')}`, EXIT.failed)
    })

  dr.command('promote')
    .description('make this standby the primary; the other one stops, or has stopped by itself when its lease is over')
    .option('--primary-is-gone', 'you have made sure that the primary is down: needed where it goes on without its standby')
    .action(async (options: { primaryIsGone?: boolean }, command: Command) => {
      const { api, out } = await contextOf(command)
      const path = `${DR}/promote`
      const { body } = await api.call<Promoted>('POST', path, { primary_is_gone: options.primaryIsGone ?? false })
      out.item(body, promoted(body))
    })

  dr.command('rejoin')
    .description('at the old primary: put what only it has into quarantine at the new one, and become its standby')
    .option('--no-wait', 'do not wait until the quarantine is done')
    .action(async (options: { wait: boolean }, command: Command) => {
      const { api, out } = await contextOf(command)
      let { body } = await api.call<Status>('POST', `${DR}/rejoin`)
      while (options.wait && body.rejoining?.state === 'quarantining') {
        await setTimeout(POLL_MS)
        body = await api.get<Status>(DR)
      }
      if (body.rejoining?.state === 'failed') throw new CliError(`${body.problem} Nothing is lost; run it again.`, EXIT.failed)
      out.item(body, rejoined(body))
    })

  dr.command('unpair')
    .description('end the pair: each site goes on as an origin of its own')
    .option('--other-is-gone', 'the other site does not answer, and you have made sure that it does not come back as one of this pair')
    .action(async (options: { otherIsGone?: boolean }, command: Command) => {
      const { api, out } = await contextOf(command)
      const { body } = await api.call<Status & { both: boolean }>('POST', `${DR}/unpair`, { other_is_gone: options.otherIsGone ?? false })
      out.item(body, parted(body.both))
    })

  dr.command('synchronous <project>')
    .description('answer pushes to a project only when the standby has them, too: nothing that was acknowledged can be lost')
    .option('--off', 'answer them when they are stored here')
    .action(async (project: string, options: { off?: boolean }, command: Command) => {
      const { api, out } = await contextOf(command)
      const enabled = options.off !== true
      const { body } = await api.call('PUT', `/api/atoll/v1/projects/${encodeURIComponent(project)}/synchronous`, { enabled })
      out.item(body, enabled ? `Pushes to ${project} wait for the standby.` : `Pushes to ${project} do not wait for the standby.`)
    })

  dr.command('set')
    .description('at the primary: what it does when its standby is away')
    .option('--when-standby-is-away <what>', 'stop: take no changes, so that there are never two primaries; continue: take them, at that risk')
    .option('--lease <seconds>', 'for how long it takes changes after the last word of its standby', Number)
    .action(async (options: { whenStandbyIsAway?: string; lease?: number }, command: Command) => {
      const { api, out } = await contextOf(command)
      const { body } = await api.call<Status>('PUT', `${DR}/settings`, { away: options.whenStandbyIsAway, lease_seconds: options.lease })
      out.item(body, described(body))
    })
}

function rejoined({ peer, rejoining }: Status): string {
  if (rejoining?.state === 'quarantining') return 'What only this site has goes into quarantine. See: atoll dr status'
  const { quarantined_artifacts: artifacts = 0 } = rejoining ?? {}
  return `This site becomes the standby of ${peer?.name}. ${artifacts} artifacts that only it had are there in quarantine. See: atoll dr status`
}

function parted(both: boolean): string {
  if (!both) return 'This site goes on as an origin of its own. Start the other one again only with an empty data folder.'
  return 'Both sites go on as origins of their own. Edges, and the tokens in the hands of clients, stay with the one that was the primary. Schedules, replication rules and webhooks are at both now: turn off those that are not wanted twice.'
}

interface Drilled {
  readonly rto_seconds: number
  readonly rpo_seconds: number | null
  readonly artifacts: number
  readonly blobs: number
  readonly bytes: number
  readonly problems: readonly string[]
}

function drilled({ rto_seconds: rto, rpo_seconds: rpo, artifacts, blobs, bytes: size }: Drilled): string {
  return `RTO ${rto} s, RPO ${rpo} s. Pulled and verified ${artifacts} artifacts, ${blobs} blobs, ${bytes(size)}.`
}

interface Promoted {
  readonly epoch: number
  readonly handed_over: boolean
  readonly waited_seconds: number
  readonly lost_seconds: number
  /** Projects that take no changes until the other site has rejoined. */
  readonly synchronous: readonly string[]
}

function promoted({ epoch, handed_over: handedOver, waited_seconds: waited, lost_seconds: lost, synchronous }: Promoted): string {
  if (handedOver) return `This site is the primary now (epoch ${epoch}). The other one has stepped down, and everything it had is here.`
  return `This site is the primary now (epoch ${epoch}), after ${waited} s in which the other's lease ended. Of its last ${lost} s changes may be missing; they are kept there, and go into quarantine when it rejoins: atoll dr rejoin${refusing(synchronous)}`
}

function refusing(projects: readonly string[]): string {
  if (projects.length === 0) return ''
  return `\nTake no changes until the other site has rejoined, since they are synchronous: ${projects.join(', ')}. To take them at this site alone: atoll dr synchronous PROJECT --off`
}

function described(status: Status): string {
  const { peer, filled } = status
  const lines: readonly (readonly [string, string | undefined])[] = [
    ['site', status.site],
    ['role', status.role],
    ['state', filled === null ? status.state : `${status.state} (${filled.tables} of ${filled.of} tables)`],
    ['epoch', String(status.epoch)],
    ['other site', peer === null ? undefined : `${peer.name}, ${peer.url}`],
    ['heard', peer === null ? undefined : peer.heard_seconds_ago === null ? 'not since this one started' : `${peer.heard_seconds_ago} s ago`],
    ['RPO', status.rpo_seconds === null ? undefined : `${status.rpo_seconds} s`],
    ['takes changes', status.takes_writes ? 'yes' : 'no'],
    ['lease left', status.lease_left_seconds === null ? undefined : `${status.lease_left_seconds} s of ${status.lease_seconds} s`],
    ['standby away', status.when_standby_is_away === null ? undefined : status.when_standby_is_away],
    ['problem', status.problem ?? undefined],
  ]
  const shown = lines.filter(([, value]) => value !== undefined && value !== '')
  const width = Math.max(...shown.map(([title]) => title.length))
  return shown.map(([title, value]) => `${title.padEnd(width)}  ${value}`).join('\n')
}

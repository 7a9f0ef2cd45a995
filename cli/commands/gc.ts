import type { Command } from 'commander'
import { pause } from '../../registry/clock.ts'
import { contextOf } from '../context.ts'
import { CliError } from '../exit-codes.ts'
import { bytes } from '../output.ts'

interface Collection {
  readonly id: number
  readonly job_status: string
  readonly job_kind: string
  /** JSON. */
  readonly job_parameters: string
  readonly creation_time: string
  readonly update_time: string
}

interface Parameters {
  readonly dry_run?: boolean
  readonly delete_untagged?: boolean
  readonly freed_space?: number
  readonly purged_blobs?: number
  readonly purged_manifests?: number
}

interface Schedule {
  readonly schedule?: { readonly type: string; readonly cron?: string; readonly next_scheduled_time?: string }
  readonly job_parameters?: string
}

interface What {
  readonly deleteUntagged: boolean
  readonly dryRun: boolean
}

const POLL_MS = 500
const COLLECTIONS = '/api/v2.0/system/gc'
const SCHEDULE = `${COLLECTIONS}/schedule`

export function gcCommands(program: Command): void {
  const gc = program.command('gc').description('collect what nothing needs any more, while everybody works')

  gc.command('run')
    .description('collect now')
    .option('--delete-untagged', 'also manifests without a tag, unless an index or a subject keeps them', false)
    .option('--dry-run', 'only say what would go', false)
    .option('--wait', 'wait for its end; exit code 1 if it failed', false)
    .action(async (options: What & { readonly wait: boolean }, command: Command) => {
      const { api, out, clock } = await contextOf(command)
      const { headers } = await api.call('POST', SCHEDULE, { schedule: { type: 'Manual' }, parameters: parametersOf(options) })
      const location = headers.get('location')
      if (location === null) throw new CliError('The server did not say where the collection is.')
      let collection = await api.get<Collection>(location)
      let told = ''
      while (options.wait && ['Pending', 'Running'].includes(collection.job_status)) {
        await pause(clock, POLL_MS)
        collection = await api.get<Collection>(location)
        const progress = progressOf(collection)
        if (progress !== told) out.note(progress)
        told = progress
      }
      const { id } = collection
      out.item(collection, `Collection ${id}: ${progressOf(collection)}${options.wait ? '' : `. Follow it with: atoll gc log ${id}`}`)
      if (collection.job_status === 'Error') throw new CliError(`Collection ${id} failed; see why: atoll gc log ${id}`)
      if (collection.job_status === 'Stopped') throw new CliError(`Collection ${id} was stopped; what it deleted stays deleted.`)
    })

  gc.command('ls')
    .description('list collections, the newest first')
    .action(async (_options: unknown, command: Command) => {
      const { api, out } = await contextOf(command)
      out.rows(
        await Array.fromAsync(api.list<Collection>(COLLECTIONS)),
        [
          { title: 'ID', value: (row) => row.id },
          { title: 'STATUS', value: (row) => row.job_status },
          { title: 'BY', value: (row) => row.job_kind.toLowerCase() },
          { title: 'DRY RUN', value: (row) => read(row).dry_run ?? false },
          { title: 'BLOBS', value: (row) => read(row).purged_blobs ?? 0 },
          { title: 'FREED', value: (row) => bytes(read(row).freed_space ?? 0) },
          { title: 'STARTED', value: (row) => row.creation_time },
        ],
        'Nothing was collected yet. Collect now: atoll gc run --wait',
      )
    })

  gc.command('log <id>')
    .description('what a collection said')
    .action(async (id: string, _options: unknown, command: Command) => {
      const { api, out } = await contextOf(command)
      const log = await api.text(`${COLLECTIONS}/${encodeURIComponent(id)}/log`)
      out.item({ id: Number(id), log }, log.trimEnd() || 'It has said nothing yet.')
    })

  gc.command('stop <id>')
    .description('stop a collection; what it deleted stays deleted')
    .action(async (id: string, _options: unknown, command: Command) => {
      const { api, out } = await contextOf(command)
      await api.call('PUT', `${COLLECTIONS}/${encodeURIComponent(id)}`)
      out.item({ id: Number(id) }, `Stopping collection ${id}.`)
    })

  gc.command('schedule [cron]')
    .description('show when garbage is collected by itself, or set it: six fields in UTC, seconds first, such as "0 0 3 * * *"; "off" ends it')
    .option('--delete-untagged', 'also manifests without a tag, unless an index or a subject keeps them', false)
    .option('--dry-run', 'only say what would go', false)
    .action(async (cron: string | undefined, options: What, command: Command) => {
      const { api, out } = await contextOf(command)
      if (cron !== undefined) {
        const schedule = cron === 'off' ? { type: 'None' } : { type: 'Custom', cron }
        await api.call('PUT', SCHEDULE, { schedule, parameters: parametersOf(options) })
      }
      const { schedule, ...rest } = await api.get<Schedule>(SCHEDULE)
      out.item(
        { schedule, ...rest },
        schedule === undefined
          ? 'Garbage is not collected by itself. Do it each night at three: atoll gc schedule "0 0 3 * * *"'
          : `Garbage is collected at ${schedule.cron} (UTC), next at ${schedule.next_scheduled_time ?? 'no time'}.`,
      )
    })
}

const parametersOf = ({ deleteUntagged, dryRun }: What) => ({ delete_untagged: deleteUntagged, dry_run: dryRun })

const read = ({ job_parameters }: Collection): Parameters => JSON.parse(job_parameters) as Parameters

function progressOf(collection: Collection): string {
  const { dry_run, freed_space = 0, purged_blobs = 0, purged_manifests = 0 } = read(collection)
  const verb = dry_run ? 'would go' : 'deleted'
  return `${collection.job_status}: ${purged_manifests} manifests and ${purged_blobs} blobs ${verb}, ${bytes(freed_space)}`
}

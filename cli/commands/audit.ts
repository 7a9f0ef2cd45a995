import { createWriteStream } from 'node:fs'
import { pipeline } from 'node:stream/promises'
import { type Command, Option } from 'commander'
import { contextOf } from '../context.ts'
import { CliError, EXIT } from '../exit-codes.ts'

interface Verification {
  readonly rows: number
  readonly purged: number
  readonly faults: readonly (
    | { readonly fault: 'changed'; readonly id: number }
    | { readonly fault: 'missing'; readonly from: number; readonly to: number }
    | { readonly fault: 'untold'; readonly rows: number }
  )[]
  readonly head: string
}

interface ExportOptions {
  readonly format: string
  readonly output?: string
  readonly operation?: string
  readonly type?: string
  readonly user?: string
  readonly project?: string
  readonly from?: string
  readonly to?: string
}

const AUDIT = '/api/atoll/v1/audit'

export function auditCommands(program: Command): void {
  const audit = program.command('audit').description('who did what')

  audit
    .command('verify')
    .description('hold the audit log against its hashes: an edit or a hole shows')
    .option('--head <id:hash>', 'the head that an earlier verification told, kept elsewhere')
    .action(async (options: { readonly head?: string }, command: Command) => {
      const { api, out } = await contextOf(command)
      const query = options.head === undefined ? '' : `?head=${encodeURIComponent(options.head)}`
      let last: Verification | undefined
      for await (const line of api.lines(`${AUDIT}/verification${query}`)) {
        if (last !== undefined) out.note(`${last.rows + last.purged} entries so far.`)
        last = JSON.parse(line) as Verification
      }
      if (last === undefined) throw new CliError('The origin ended before it had an answer; try again.', EXIT.failed)
      const { rows, purged, faults, head } = last
      if (faults.length > 0 && !out.json) throw new CliError(faults.map(describe).join('\n'), EXIT.failed)
      out.item(
        last,
        `${rows} entries are as they were written${purged > 0 ? `, ${purged} more were purged` : ''}. Keep this to verify against: ${head}`,
      )
      if (faults.length > 0) process.exitCode = EXIT.failed
    })

  audit
    .command('export')
    .description('write the audit log to a file, or to standard output')
    .addOption(new Option('--format <format>', 'one JSON document a line, or a table').choices(['jsonl', 'csv']).default('jsonl'))
    .option('-o, --output <file>', 'where to; standard output when absent')
    .option('--operation <name>', 'only these: create, update, delete or pull')
    .option('--type <name>', 'only what was done to these: artifact, project, member, robot, …')
    .option('--user <name>', 'only what this user or robot did')
    .option('--project <name>', 'only of this project')
    .option('--from <time>', 'no earlier than this: 2026-01-31 or 2026-01-31T12:00:00Z')
    .option('--to <time>', 'no later than this')
    .action(async (options: ExportOptions, command: Command) => {
      const { api, out } = await contextOf(command)
      const query = new URLSearchParams({ format: options.format })
      const given = { operation: options.operation, resource_type: options.type, username: options.user, project: options.project }
      for (const [name, value] of Object.entries({ ...given, from: options.from, to: options.to })) if (value !== undefined) query.set(name, value)
      const body = await api.stream(`${AUDIT}/entries?${query}`)
      if (options.output === undefined) {
        await pipeline(body, process.stdout, { end: false })
        return
      }
      await pipeline(body, createWriteStream(options.output))
      out.note(`Written to ${options.output}.`)
    })
}

function describe(fault: Verification['faults'][number]): string {
  if (fault.fault === 'changed') return `Entry ${fault.id} is not what was written.`
  if (fault.fault === 'untold') return `${fault.rows} entries pass for purged that no purge has told of.`
  return fault.from === fault.to ? `Entry ${fault.from} is missing.` : `Entries ${fault.from} to ${fault.to} are missing.`
}

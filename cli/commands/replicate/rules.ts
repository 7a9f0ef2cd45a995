import { type Command, Option } from 'commander'
import { type Context, contextOf } from '../../context.ts'
import { CliError, EXIT } from '../../exit-codes.ts'
import { endpointId } from '../project.ts'
import type { Endpoint } from './endpoints.ts'

export interface Rule {
  readonly id: number
  readonly name: string
  readonly enabled?: boolean
  readonly src_registry?: Endpoint | null
  readonly dest_registry?: Endpoint | null
  readonly trigger?: { readonly type?: string }
}

export const RULES = '/api/v2.0/replication/policies'

export function ruleCommands(replicate: Command): void {
  const rule = replicate.command('rule').description('what is copied, where to and when')

  rule
    .command('ls')
    .description('list rules')
    .action(async (_options: unknown, command: Command) => {
      const { api, out } = await contextOf(command)
      out.rows(
        await Array.fromAsync(api.list<Rule>(RULES)),
        [
          { title: 'NAME', value: (row) => row.name },
          { title: 'FROM', value: (row) => nameOf(row.src_registry) },
          { title: 'TO', value: (row) => nameOf(row.dest_registry) },
          { title: 'TRIGGER', value: (row) => row.trigger?.type },
          { title: 'ENABLED', value: (row) => row.enabled ?? false },
        ],
        'No rule yet. Make one: atoll replicate rule create NAME --push-to ENDPOINT',
      )
    })

  rule
    .command('create <name>')
    .description('make a rule')
    .addOption(new Option('--push-to <endpoint>', 'copy from here to there').conflicts('pullFrom'))
    .option('--pull-from <endpoint>', 'copy from there to here')
    .option('--repository <pattern>', 'only repositories like this, for instance team/**')
    .option('--tag <pattern>', 'only tags like this, for instance v*')
    .option(
      '--platform <platforms...>',
      'of an index only the parts for these, for instance linux/amd64 linux/arm64; the destination must take sparse indexes',
    )
    .addOption(new Option('--on-push', 'run by itself for whatever is pushed here; else it runs when told to').default(false).conflicts('schedule'))
    .option('--schedule <cron>', 'run by itself at times: six fields in UTC, seconds first, such as "0 0 3 * * *"')
    .option('--namespace <project>', 'the project at the destination, in which everything keeps its name; without it, the same as at the source')
    .option('--flatten', 'with --namespace: of a name only its last part stays, so team/web/app becomes PROJECT/app', false)
    .option('--deletions', 'what is deleted at the source is deleted at the destination', false)
    .option('--keep-existing', 'leave tags that the destination has already as they are, with a warning in the log', false)
    .action(async (name: string, options: RuleOptions, command: Command) => {
      const { api, out } = await contextOf(command)
      const made = await api.create<Rule>(RULES, await ruleBody({ api }, name, options))
      out.item(made, `Made the rule ${name}.${options.onPush || options.schedule !== undefined ? '' : ` Run it: atoll replicate run ${name}`}`)
    })

  rule
    .command('rm <name>')
    .description('delete a rule and the record of its executions')
    .action(async (name: string, _options: unknown, command: Command) => {
      const { api, out } = await contextOf(command)
      const found = await findRule({ api }, name)
      await api.call('DELETE', `${RULES}/${found.id}`)
      out.item(found, `Deleted the rule ${name}.`)
    })
}

interface RuleOptions {
  readonly pushTo?: string
  readonly pullFrom?: string
  readonly repository?: string
  readonly tag?: string
  readonly platform?: readonly string[]
  readonly onPush: boolean
  readonly schedule?: string
  readonly namespace?: string
  readonly flatten: boolean
  readonly keepExisting: boolean
  readonly deletions: boolean
}

async function ruleBody({ api }: Pick<Context, 'api'>, name: string, options: RuleOptions): Promise<unknown> {
  const other = options.pushTo ?? options.pullFrom
  if (other === undefined) throw new CliError('Say where to copy: --push-to ENDPOINT or --pull-from ENDPOINT.', EXIT.usage)
  if (options.onPush && options.pullFrom !== undefined)
    throw new CliError('--on-push follows pushes to this origin, so it needs --push-to.', EXIT.usage)
  if (options.flatten && options.namespace === undefined)
    throw new CliError('--flatten says how names go into --namespace PROJECT: say which.', EXIT.usage)
  const endpoint = { id: await endpointId({ api }, other) }
  return {
    name,
    enabled: true,
    override: !options.keepExisting,
    replicate_deletion: options.deletions,
    trigger:
      options.schedule === undefined
        ? { type: options.onPush ? 'event_based' : 'manual' }
        : { type: 'scheduled', trigger_settings: { cron: options.schedule } },
    filters: [
      ...(options.repository === undefined ? [] : [{ type: 'name', value: options.repository }]),
      ...(options.tag === undefined ? [] : [{ type: 'tag', value: options.tag, decoration: 'matches' }]),
      ...(options.platform === undefined ? [] : [{ type: 'platform', value: options.platform }]),
    ],
    ...(options.namespace !== undefined && { dest_namespace: options.namespace, dest_namespace_replace_count: options.flatten ? -1 : 1 }),
    ...(options.pushTo === undefined ? { src_registry: endpoint } : { dest_registry: endpoint }),
  }
}

export async function findRule({ api }: Pick<Context, 'api'>, name: string): Promise<Rule> {
  for await (const rule of api.list<Rule>(RULES)) if (rule.name === name || String(rule.id) === name) return rule
  throw new CliError(`There is no rule ${name}. See them with: atoll replicate rule ls`, EXIT.notFound)
}

function nameOf(endpoint: Endpoint | null | undefined): string {
  return endpoint?.id ? endpoint.name : 'this origin'
}

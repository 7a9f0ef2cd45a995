import { type Command, Option } from 'commander'
import { type Context, contextOf, parseSize } from '../../context.ts'
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
  readonly filters?: readonly Filter[] | null
}

interface Filter {
  readonly type: string
  readonly value: unknown
  readonly decoration?: string
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

  const create = rule
    .command('create <name>')
    .description('make a rule')
    .addOption(new Option('--push-to <endpoint>', 'copy from here to there').conflicts('pullFrom'))
    .option('--pull-from <endpoint>', 'copy from there to here')
  changeable(create)
    .option('--namespace <project>', 'the project at the destination, in which everything keeps its name; without it, the same as at the source')
    .option('--flatten', 'with --namespace: of a name only its last part stays, so team/web/app becomes PROJECT/app', false)
    .option('--deletions', 'what is deleted at the source is deleted at the destination', false)
    .option('--keep-existing', 'leave tags that the destination has already as they are, with a warning in the log', false)
    .action(async (name: string, options: RuleOptions, command: Command) => {
      const { api, out } = await contextOf(command)
      const made = await api.create<Rule>(RULES, await ruleBody({ api }, name, options))
      out.item(made, `Made the rule ${name}.${options.onPush || options.schedule !== undefined ? '' : ` Run it: atoll replicate run ${name}`}`)
    })

  changeable(rule.command('set <name>').description('change a rule: what is not given stays as it is, and "" takes a filter away'))
    .addOption(new Option('--manual', 'run only when told to').conflicts(['onPush', 'schedule']))
    .addOption(new Option('--enable', 'let it run again').conflicts('disable'))
    .option('--disable', 'let it run no more, whoever asks')
    .action(async (name: string, options: ChangeOptions, command: Command) => {
      const { api, out } = await contextOf(command)
      if (Object.keys(options).length === 0) throw new CliError('Say what to change. See: atoll replicate rule set --help', EXIT.usage)
      const { id } = await findRule({ api }, name)
      const before = await api.get<Rule>(`${RULES}/${id}`)
      await api.call('PUT', `${RULES}/${id}`, { ...before, ...changesOf(before.filters ?? [], options) })
      out.item(await api.get<Rule>(`${RULES}/${id}`), `Changed the rule ${name}.`)
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

/** What a rule can be made with, and what can be changed of it. */
function changeable(command: Command): Command {
  return command
    .option('--repository <pattern>', 'only repositories like this, for instance team/**')
    .option('--exclude-repository <pattern>', 'none like this')
    .option('--tag <pattern>', 'only tags like this, for instance v*, or versions in a range: "semver:>=1.2 <3"')
    .option('--exclude-tag <pattern>', 'none like this')
    .option('--label <names...>', 'only artifacts that carry all of these labels')
    .addOption(new Option('--kind <kind>', 'only artifacts of this kind').choices(['image', 'chart', 'artifact']))
    .option(
      '--platform <platforms...>',
      'of an index only the parts for these, for instance linux/amd64 linux/arm64; the destination must take sparse indexes',
    )
    .option('--speed <size>', 'bytes a second for all of it, such as 20MiB; 0: as fast as it goes', parseSize)
    .addOption(new Option('--on-push', 'run by itself for whatever is pushed here; else it runs when told to').conflicts('schedule'))
    .option('--schedule <cron>', 'run by itself at times: six fields in UTC, seconds first, such as "0 0 3 * * *"')
}

interface CommonOptions {
  readonly repository?: string
  readonly excludeRepository?: string
  readonly tag?: string
  readonly excludeTag?: string
  readonly label?: readonly string[]
  readonly kind?: string
  readonly platform?: readonly string[]
  readonly speed?: number
  readonly onPush?: boolean
  readonly schedule?: string
}

interface RuleOptions extends CommonOptions {
  readonly pushTo?: string
  readonly pullFrom?: string
  readonly namespace?: string
  readonly flatten: boolean
  readonly keepExisting: boolean
  readonly deletions: boolean
}

interface ChangeOptions extends CommonOptions {
  readonly manual?: boolean
  readonly enable?: boolean
  readonly disable?: boolean
}

/** The fields of a rule that were asked for. */
function changesOf(filters: readonly Filter[], options: ChangeOptions): Record<string, unknown> {
  const wished = filtersOf(options)
  const isReplaced = (filter: Filter) => wished.some((wish) => wish.type === filter.type && isExcluding(wish) === isExcluding(filter))
  return {
    filters: [...filters.filter((filter) => !isReplaced(filter)), ...wished.filter(({ value }) => `${value}` !== '')],
    ...(options.speed !== undefined && { speed: kibOf(options.speed) }),
    ...(options.enable && { enabled: true }),
    ...(options.disable && { enabled: false }),
    ...(options.manual && { trigger: { type: 'manual' } }),
    ...(options.onPush && { trigger: { type: 'event_based' } }),
    ...(options.schedule !== undefined && { trigger: { type: 'scheduled', trigger_settings: { cron: options.schedule } } }),
  }
}

const isExcluding = ({ decoration }: Filter) => decoration === 'excludes'

/** The API counts in KiB, and 0 is no limit: a few bytes are some. */
const kibOf = (bytes: number) => Math.ceil(bytes / 1024)

function filtersOf(options: CommonOptions): Filter[] {
  const { repository, excludeRepository, tag, excludeTag, label, kind, platform } = options
  return [
    { type: 'name', value: repository },
    { type: 'name', value: excludeRepository, decoration: 'excludes' },
    { type: 'tag', value: tag, decoration: 'matches' },
    { type: 'tag', value: excludeTag, decoration: 'excludes' },
    { type: 'label', value: label },
    { type: 'resource', value: kind },
    { type: 'platform', value: platform },
  ].filter(({ value }) => value !== undefined)
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
    trigger: { type: 'manual' },
    ...changesOf([], options),
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

import { type Command, Option } from 'commander'
import { type Context, contextOf } from '../context.ts'
import { CliError, EXIT } from '../exit-codes.ts'
import { bytes } from '../output.ts'
import { lineFromStdin } from '../prompt.ts'
import { customerCommands } from './customers.ts'
import { endpointId } from './project.ts'

interface Endpoint {
  readonly id: number
  readonly name: string
  readonly url: string
  readonly type: string
  readonly status?: string
  readonly status_text?: string
}

interface Rule {
  readonly id: number
  readonly name: string
  readonly enabled?: boolean
  readonly src_registry?: Endpoint | null
  readonly dest_registry?: Endpoint | null
  readonly trigger?: { readonly type?: string }
}

interface Execution {
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

interface Task {
  readonly id: number
  readonly status: string
  readonly src_resource?: string
  readonly dst_resource?: string
}

const POLL_MS = 500
const ENDPOINTS = '/api/v2.0/registries'
const RULES = '/api/v2.0/replication/policies'
const EXECUTIONS = '/api/v2.0/replication/executions'

export function replicateCommands(program: Command): void {
  const replicate = program.command('replicate').description('copy images between this origin and other registries')
  endpointCommands(replicate)
  ruleCommands(replicate)
  customerCommands(replicate)

  replicate
    .command('run <rule>')
    .description('start a rule now')
    .option('--wait', 'wait for its end; exit code 1 if anything failed', false)
    .action(async (name: string, options: { wait: boolean }, command: Command) => {
      const context = await contextOf(command)
      const rule = await findRule(context, name)
      await start(context, { policy_id: rule.id }, options.wait)
    })

  replicate
    .command('retry <execution>')
    .description('do again what failed in an execution, and nothing else')
    .option('--wait', 'wait for its end; exit code 1 if anything failed', false)
    .action(async (execution: string, options: { wait: boolean }, command: Command) => {
      const context = await contextOf(command)
      const { id, policy_id } = await context.api.get<Execution>(`${EXECUTIONS}/${encodeURIComponent(execution)}`)
      await start(context, { policy_id, retry_of: id }, options.wait)
    })

  replicate
    .command('watch <execution>')
    .description('show how an execution goes on until its end; exit code 1 if anything failed')
    .action(async (execution: string, _options: unknown, command: Command) => {
      await follow(await contextOf(command), `${EXECUTIONS}/${encodeURIComponent(execution)}`)
    })

  replicate
    .command('show <execution>')
    .description('how an execution stands')
    .action(async (execution: string, _options: unknown, command: Command) => {
      const { api, out } = await contextOf(command)
      const found = await api.get<Execution>(`${EXECUTIONS}/${encodeURIComponent(execution)}`)
      out.item(found, `Execution ${found.id}, ${progressOf(found)}`)
    })

  replicate
    .command('ls')
    .description('list executions, the newest first')
    .option('--rule <name>', 'only of this rule')
    .action(async (options: { rule?: string }, command: Command) => {
      const { api, out } = await contextOf(command)
      const query = options.rule === undefined ? '' : `?policy_id=${(await findRule({ api }, options.rule)).id}`
      const executions = await Array.fromAsync(api.list<Execution>(EXECUTIONS + query))
      const rules = new Map((await Array.fromAsync(api.list<Rule>(RULES))).map(({ id, name }) => [id, name]))
      out.rows(
        executions.map((execution) => ({ ...execution, rule: rules.get(execution.policy_id) ?? String(execution.policy_id) })),
        [
          { title: 'ID', value: (row) => row.id },
          { title: 'RULE', value: (row) => row.rule },
          { title: 'STATUS', value: (row) => row.status },
          { title: 'TRIGGER', value: (row) => row.trigger },
          { title: 'DONE', value: (row) => `${row.succeed ?? 0}/${row.total ?? 0}` },
          { title: 'FAILED', value: (row) => row.failed ?? 0 },
          { title: 'BYTES', value: (row) => bytes(row.bytes_done ?? 0) },
          { title: 'STARTED', value: (row) => row.start_time },
        ],
        'Nothing has run yet. Start a rule: atoll replicate run RULE',
      )
    })

  replicate
    .command('logs <execution>')
    .description('the log of each task of an execution')
    .action(async (execution: string, _options: unknown, command: Command) => {
      const { api, out } = await contextOf(command)
      const tasks = await Array.fromAsync(api.list<Task>(`${EXECUTIONS}/${encodeURIComponent(execution)}/tasks`))
      if (tasks.length === 0) {
        // What went wrong before there were tasks, the execution knows itself.
        const { status, status_text } = await api.get<Execution>(`${EXECUTIONS}/${encodeURIComponent(execution)}`)
        out.note(`Execution ${execution} has no tasks: ${status}${status_text ? `, ${status_text}` : ''}`)
      }
      const logs = []
      for (const task of tasks) logs.push({ ...task, log: await taskLog({ api }, execution, task.id) })
      out.item(logs, logs.map((task) => `# ${task.src_resource ?? task.id}: ${task.status}\n${task.log}`).join('\n'))
    })

  replicate
    .command('stop <execution>')
    .description('stop an execution; what has arrived stays')
    .action(async (execution: string, _options: unknown, command: Command) => {
      const { api, out } = await contextOf(command)
      await api.call('PUT', `${EXECUTIONS}/${encodeURIComponent(execution)}`)
      out.item({ id: Number(execution) }, `Stopping execution ${execution}.`)
    })
}

async function start(context: Context, request: NonNullable<unknown>, wait: boolean): Promise<void> {
  const { api, out } = context
  const { headers } = await api.call('POST', EXECUTIONS, request)
  const location = headers.get('location')
  if (location === null) throw new CliError('The server did not say where the execution is.')
  if (wait) return await follow(context, location)
  const execution = await api.get<Execution>(location)
  out.item(execution, `Execution ${execution.id}: ${execution.status}. Follow it with: atoll replicate watch ${execution.id}`)
}

/** Until the end of an execution. @throws CliError when it has not succeeded */
async function follow({ api, out }: Context, location: string): Promise<void> {
  let execution = await api.get<Execution>(location)
  let told = ''
  while (execution.status === 'InProgress') {
    await new Promise((resolve) => setTimeout(resolve, POLL_MS))
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

function progressOf(execution: Execution): string {
  const { status, succeed = 0, total = 0, failed = 0, bytes_done = 0, bytes_total = 0, bytes_per_second: rate = 0, eta_seconds: eta } = execution
  const moved = bytes_total === 0 ? '' : `, ${bytes(bytes_done)} of ${bytes(bytes_total)} moved`
  const speed = status !== 'InProgress' || rate === 0 ? '' : ` at ${bytes(rate)}/s`
  const left = status !== 'InProgress' || eta === undefined ? '' : `, about ${eta} s left`
  return `${status}: ${succeed} of ${total} tasks done${moved}${speed}${left}${failed === 0 ? '' : `, ${failed} failed`}`
}

function endpointCommands(replicate: Command): void {
  const endpoint = replicate.command('endpoint').description('other registries, and how to log in there')

  endpoint
    .command('ls')
    .description('list endpoints')
    .action(async (_options: unknown, command: Command) => {
      const { api, out } = await contextOf(command)
      out.rows(
        await Array.fromAsync(api.list<Endpoint>(ENDPOINTS)),
        [
          { title: 'NAME', value: (row) => row.name },
          { title: 'KIND', value: (row) => row.type },
          { title: 'URL', value: (row) => row.url },
          { title: 'STATUS', value: (row) => row.status },
          { title: 'PROBLEM', value: (row) => row.status_text },
        ],
        'No endpoint yet. Add one: atoll replicate endpoint add NAME URL',
      )
    })

  endpoint
    .command('add <name> <url>')
    .description('add a registry; --login asks for its password on standard input')
    .option('--kind <kind>', 'harbor (an Atoll too), docker-hub, quay, docker-registry, …', 'harbor')
    .option('--login <user>', 'log in there as this user; the password comes on standard input')
    .option('--insecure', 'do not check its certificate', false)
    .action(async (name: string, url: string, options: { kind: string; login?: string; insecure: boolean }, command: Command) => {
      const { api, out } = await contextOf(command)
      const credential = options.login === undefined ? undefined : { type: 'basic', access_key: options.login, access_secret: await lineFromStdin() }
      const made = await api.create<Endpoint>(ENDPOINTS, {
        name,
        url,
        type: options.kind,
        insecure: options.insecure,
        ...(credential && { credential }),
      })
      const problem = await pingProblem({ api }, made.id)
      out.item(made, `Added the endpoint ${name}.`)
      if (problem !== undefined) out.note(`It does not work yet: ${problem}\nTry again with: atoll replicate endpoint ping ${name}`)
    })

  endpoint
    .command('ping <name>')
    .description('try to reach an endpoint and log in, and see what the account may do')
    .option('--repository <name>', 'also see whether it may pull and push there: an upload is begun and called off')
    .action(async (name: string, options: { repository?: string }, command: Command) => {
      const { api, out } = await contextOf(command)
      const answer = await ping({ api }, await endpointId({ api }, name), options.repository)
      out.item({ name, reachable: true, ...answer }, `${name} answers and accepts the login.`)
      for (const note of answer.notes) out.note(note)
    })

  endpoint
    .command('rm <name>')
    .description('remove an endpoint that no rule and no project uses')
    .action(async (name: string, _options: unknown, command: Command) => {
      const { api, out } = await contextOf(command)
      await api.call('DELETE', `${ENDPOINTS}/${await endpointId({ api }, name)}`)
      out.item({ name }, `Removed the endpoint ${name}.`)
    })
}

interface PingAnswer {
  readonly rights: { readonly list: string; readonly pull: string; readonly push: string }
  readonly notes: readonly string[]
}

async function ping({ api }: Pick<Context, 'api'>, id: number, repository?: string): Promise<PingAnswer> {
  const { body } = await api.call<PingAnswer>('POST', `${ENDPOINTS}/ping`, { id, ...(repository !== undefined && { repository }) })
  return body
}

/** What is wrong with an endpoint, by a word of the server; undefined: nothing. */
async function pingProblem({ api }: Pick<Context, 'api'>, id: number): Promise<string | undefined> {
  try {
    await ping({ api }, id)
    return undefined
  } catch (error) {
    if (error instanceof CliError) return error.message
    throw error
  }
}

function ruleCommands(replicate: Command): void {
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
    .addOption(new Option('--on-push', 'run by itself for whatever is pushed here; else it runs when told to').default(false).conflicts('schedule'))
    .option('--schedule <cron>', 'run by itself at times: six fields in UTC, seconds first, such as "0 0 3 * * *"')
    .option('--namespace <project>', 'the project at the destination; without it, the same as at the source')
    .option('--deletions', 'what is deleted at the source is deleted at the destination', false)
    .option('--keep-existing', 'do not move tags that the destination has already', false)
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
  readonly onPush: boolean
  readonly schedule?: string
  readonly namespace?: string
  readonly keepExisting: boolean
  readonly deletions: boolean
}

async function ruleBody({ api }: Pick<Context, 'api'>, name: string, options: RuleOptions): Promise<unknown> {
  const other = options.pushTo ?? options.pullFrom
  if (other === undefined) throw new CliError('Say where to copy: --push-to ENDPOINT or --pull-from ENDPOINT.', EXIT.usage)
  if (options.onPush && options.pullFrom !== undefined)
    throw new CliError('--on-push follows pushes to this origin, so it needs --push-to.', EXIT.usage)
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
    ],
    ...(options.namespace !== undefined && { dest_namespace: options.namespace }),
    ...(options.pushTo === undefined ? { src_registry: endpoint } : { dest_registry: endpoint }),
  }
}

async function findRule({ api }: Pick<Context, 'api'>, name: string): Promise<Rule> {
  for await (const rule of api.list<Rule>(RULES)) if (rule.name === name || String(rule.id) === name) return rule
  throw new CliError(`There is no rule ${name}. See them with: atoll replicate rule ls`, EXIT.notFound)
}

async function taskLog({ api }: Pick<Context, 'api'>, execution: string, task: number): Promise<string> {
  return await api.text(`${EXECUTIONS}/${encodeURIComponent(execution)}/tasks/${task}/log`)
}

function nameOf(endpoint: Endpoint | null | undefined): string {
  return endpoint?.id ? endpoint.name : 'this origin'
}

import { createWriteStream } from 'node:fs'
import { pipeline } from 'node:stream/promises'
import { type Command, InvalidArgumentError, Option } from 'commander'
import { type Context, contextOf } from '../context.ts'
import { CliError } from '../exit-codes.ts'
import { bytes } from '../output.ts'
import { lineFromStdin } from '../prompt.ts'
import { endpointId } from './project.ts'

interface Customer {
  readonly name: string
  readonly project: string
  readonly url: string
  readonly expires_at: string | null
  readonly expired: boolean
  readonly status: string
  readonly status_text: string
  readonly last: { readonly id: number; readonly status: string; readonly text: string } | null
}

interface ReportLine {
  readonly destination: string
  readonly tag: string
  readonly digest: string
  readonly delivered_at: string
  readonly bytes: number
  readonly now: string
  readonly why?: string
}

interface AddOptions {
  readonly project: string
  readonly kind: string
  readonly login?: string
  readonly until?: string
  readonly repository?: string
  readonly tag?: string
  readonly namespace?: string
  readonly manual: boolean
  readonly deletions: boolean
  readonly insecure: boolean
}

const pathOf = (project: string, ...rest: readonly string[]) =>
  ['/api/atoll/v1/projects', encodeURIComponent(project), 'customers', ...rest.map(encodeURIComponent)].join('/')

/** One project delivered to one registry, with a credential for that alone, until a day. */
export function customerCommands(replicate: Command): void {
  const customer = replicate.command('customer').description('deliver one project to one customer’s registry')

  customer
    .command('ls')
    .description('list the customers of a project')
    .requiredOption('--project <name>', 'the project')
    .action(async (options: { project: string }, command: Command) => {
      const { api, out } = await contextOf(command)
      out.rows(
        await api.get<readonly Customer[]>(pathOf(options.project)),
        [
          { title: 'NAME', value: (row) => row.name },
          { title: 'URL', value: (row) => row.url },
          { title: 'UNTIL', value: (row) => `${row.expires_at ?? 'no end'}${row.expired ? ' (over)' : ''}` },
          { title: 'STATUS', value: (row) => row.status },
          { title: 'LAST', value: (row) => row.last?.status },
          { title: 'PROBLEM', value: (row) => row.status_text || (row.last?.status === 'Failed' ? row.last.text : '') },
        ],
        'No customer yet. Add one: atoll replicate customer add NAME URL --project PROJECT --login USER --until DAY',
      )
    })

  customer
    .command('add <name> <url>')
    .description('add a customer; --login asks for its password on standard input')
    .requiredOption('--project <name>', 'the project that is delivered, and nothing else')
    .option('--kind <kind>', 'docker-registry, harbor, aws-ecr, …', 'docker-registry')
    .option('--login <user>', 'log in there as this user; the password comes on standard input')
    .option('--until <time>', 'nothing is sent after this: 2027-01-31 or 2027-01-31T12:00:00Z', parseDay)
    .option('--repository <pattern>', 'only these of the project, for instance team/app-*')
    .option('--tag <pattern>', 'only tags like this, for instance v*')
    .option('--namespace <name>', 'what stands there in place of the project’s name')
    .option('--manual', 'deliver when told to, not whenever something is pushed', false)
    .option('--deletions', 'delete there what is deleted here', false)
    .option('--insecure', 'do not check its certificate', false)
    .action(async (name: string, url: string, options: AddOptions, command: Command) => {
      const { api, out } = await contextOf(command)
      const { body: made } = await api.call<Customer>('POST', pathOf(options.project), {
        name,
        url,
        type: options.kind,
        insecure: options.insecure,
        expires_at: options.until ?? null,
        on_push: !options.manual,
        deletions: options.deletions,
        ...(options.login !== undefined && { username: options.login, secret: await lineFromStdin() }),
        ...(options.repository !== undefined && { repositories: options.repository }),
        ...(options.tag !== undefined && { tags: options.tag }),
        ...(options.namespace !== undefined && { namespace: options.namespace }),
      })
      out.item(
        made,
        `Added the customer ${name} of ${options.project}. Deliver what is there already: atoll replicate customer deliver ${name} --project ${options.project}`,
      )
      try {
        await ping({ api }, options.project, name)
      } catch (error) {
        if (!(error instanceof CliError)) throw error
        out.note(`It does not work yet: ${error.message}`)
      }
    })

  customer
    .command('ping <name>')
    .description('try to reach a customer’s registry and log in')
    .requiredOption('--project <name>', 'the project')
    .option('--repository <name>', 'also see what the account may do with this repository there')
    .action(async (name: string, options: { project: string; repository?: string }, command: Command) => {
      const { api, out } = await contextOf(command)
      const answer = await ping({ api }, options.project, name, options.repository)
      out.item({ name, reachable: true, ...answer }, `${name} answers and accepts the login.`)
      for (const note of answer.notes) out.note(note)
    })

  customer
    .command('deliver <name>')
    .description('deliver now what is missing there')
    .requiredOption('--project <name>', 'the project')
    .action(async (name: string, options: { project: string }, command: Command) => {
      const { api, out } = await contextOf(command)
      const { body } = await api.call<{ execution_id: number }>('POST', pathOf(options.project, name, 'deliveries'), {})
      out.item(body, `Delivering (execution ${body.execution_id}). See how it went: atoll replicate customer ls --project ${options.project}`)
    })

  customer
    .command('renew <name>')
    .description('set another end, or another password, which comes on standard input')
    .requiredOption('--project <name>', 'the project')
    .option('--until <time>', 'nothing is sent after this', parseDay)
    .option('--no-end', 'it has no end')
    .option('--login <user>', 'log in there as this user; the password comes on standard input')
    .action(async (name: string, options: { project: string; until?: string; end: boolean; login?: string }, command: Command) => {
      const { api, out } = await contextOf(command)
      const { body } = await api.call<Customer>('PATCH', pathOf(options.project, name), {
        ...(options.until !== undefined && { expires_at: options.until }),
        ...(!options.end && { expires_at: null }),
        ...(options.login !== undefined && { username: options.login, secret: await lineFromStdin() }),
      })
      out.item(body, `${name} is delivered to ${body.expires_at === null ? 'without an end' : `until ${body.expires_at}`}.`)
    })

  customer
    .command('rm <name>')
    .description('remove a customer with its rule and the record of its deliveries; what it has, it keeps')
    .requiredOption('--project <name>', 'the project')
    .action(async (name: string, options: { project: string }, command: Command) => {
      const { api, out } = await contextOf(command)
      await api.call('DELETE', pathOf(options.project, name))
      out.item({ name }, `Removed the customer ${name}.`)
    })

  replicate
    .command('report <name>')
    .description('what a customer, or any endpoint, got from here: by repository and tag, and whether it is still so there')
    .option('--project <name>', 'the project of the customer; without it, the name is an endpoint’s')
    .addOption(
      new Option('--format <format>', 'a table for people, one JSON document a line, or CSV').choices(['table', 'jsonl', 'csv']).default('table'),
    )
    .option('--no-verify', 'do not ask the destination')
    .option('-o, --output <file>', 'where to, for jsonl and csv; standard output when absent')
    .action(async (name: string, options: { project?: string; format: string; verify: boolean; output?: string }, command: Command) => {
      const { api, out } = await contextOf(command)
      const path =
        options.project === undefined
          ? `/api/atoll/v1/endpoints/${await endpointId({ api }, name)}/deliveries`
          : pathOf(options.project, name, 'deliveries')
      const query = new URLSearchParams({ verify: String(options.verify), format: options.format === 'csv' ? 'csv' : 'jsonl' })
      if (options.format !== 'table') {
        const body = await api.stream(`${path}?${query}`)
        await (options.output === undefined ? pipeline(body, process.stdout, { end: false }) : pipeline(body, createWriteStream(options.output)))
        return
      }
      const lines: ReportLine[] = []
      for await (const line of api.lines(`${path}?${query}`)) lines.push(JSON.parse(line) as ReportLine)
      out.rows(
        lines,
        [
          { title: 'REPOSITORY', value: (row) => row.destination },
          { title: 'TAG', value: (row) => row.tag },
          { title: 'DIGEST', value: (row) => row.digest },
          { title: 'DELIVERED', value: (row) => row.delivered_at },
          { title: 'MOVED', value: (row) => bytes(row.bytes) },
          { title: 'NOW', value: (row) => `${row.now}${row.why === undefined ? '' : `: ${row.why}`}` },
        ],
        'Nothing was delivered there yet.',
      )
    })
}

/** A day stands for its beginning, in UTC. */
function parseDay(text: string): string {
  if (!/^\d{4}-\d{2}-\d{2}(?:T.+)?$/.test(text) || Number.isNaN(Date.parse(text)))
    throw new InvalidArgumentError('give a day or a time such as 2027-01-31 or 2027-01-31T12:00:00Z')
  return new Date(text).toISOString()
}

async function ping(
  { api }: Pick<Context, 'api'>,
  project: string,
  name: string,
  repository?: string,
): Promise<{ readonly notes: readonly string[] }> {
  const { body } = await api.call<{ readonly notes: readonly string[] }>('POST', pathOf(project, name, 'ping'), {
    ...(repository !== undefined && { repository }),
  })
  return body
}

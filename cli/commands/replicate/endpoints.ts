import type { Command } from 'commander'
import { type Context, contextOf, parseCount, parseSize } from '../../context.ts'
import { CliError, EXIT } from '../../exit-codes.ts'
import { bytes } from '../../output.ts'
import { lineFromStdin } from '../../prompt.ts'
import { endpointId } from '../project.ts'

export interface Endpoint {
  readonly id: number
  readonly name: string
  readonly url: string
  readonly type: string
  readonly status?: string
  readonly status_text?: string
  readonly jobs_at_once?: number
  readonly speed?: number
}

const ENDPOINTS = '/api/v2.0/registries'

const AT_ONCE = ['--jobs-at-once <number>', 'jobs that use it at once, over all control planes; 0: as many as those do', parseCount] as const
const SPEED = ['--speed <size>', 'bytes a second over all rules that use it, such as 20MiB; 0: as fast as it goes', parseSize] as const

export function endpointCommands(replicate: Command): void {
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
          { title: 'AT ONCE', value: (row) => row.jobs_at_once || '' },
          { title: 'SPEED', value: (row) => speedText(row.speed) },
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
    .option(...AT_ONCE)
    .option(...SPEED)
    .action(async (name: string, url: string, options: NewEndpointOptions, command: Command) => {
      const { api, out } = await contextOf(command)
      const credential = options.login === undefined ? undefined : { type: 'basic', access_key: options.login, access_secret: await lineFromStdin() }
      const made = await api.create<Endpoint>(ENDPOINTS, {
        name,
        url,
        type: options.kind,
        insecure: options.insecure,
        ...limits(options),
        ...(credential && { credential }),
      })
      const problem = await pingProblem({ api }, made.id)
      out.item(made, `Added the endpoint ${name}.`)
      if (problem !== undefined) out.note(`It does not work yet: ${problem}\nTry again with: atoll replicate endpoint ping ${name}`)
    })

  endpoint
    .command('set <name>')
    .description('change how much an endpoint is used')
    .option(...AT_ONCE)
    .option(...SPEED)
    .action(async (name: string, options: Limits, command: Command) => {
      const { api, out } = await contextOf(command)
      const change = limits(options)
      if (Object.keys(change).length === 0) throw new CliError('Say what to change: --jobs-at-once NUMBER, --speed SIZE.', EXIT.usage)
      const address = `${ENDPOINTS}/${await endpointId({ api }, name)}`
      await api.call('PUT', address, change)
      out.item(await api.get<Endpoint>(address), `Changed the endpoint ${name}.`)
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

/** How much is sent to an endpoint, or got from it. */
interface Limits {
  readonly jobsAtOnce?: number
  /** Bytes a second. */
  readonly speed?: number
}

interface NewEndpointOptions extends Limits {
  readonly kind: string
  readonly login?: string
  readonly insecure: boolean
}

function limits({ jobsAtOnce, speed }: Limits): { readonly jobs_at_once?: number; readonly speed?: number } {
  return {
    ...(jobsAtOnce !== undefined && { jobs_at_once: jobsAtOnce }),
    // In KiB there. What is less than one of them is not nothing, which would be no limit.
    ...(speed !== undefined && { speed: speed <= 0 ? 0 : Math.max(1, Math.round(speed / 1024)) }),
  }
}

function speedText(kibibytes: number | undefined): string {
  return kibibytes !== undefined && kibibytes > 0 ? `${bytes(kibibytes * 1024)}/s` : ''
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

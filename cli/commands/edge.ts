import type { Command } from 'commander'
import { contextOf, outputOf } from '../context.ts'
import { CliError, EXIT } from '../exit-codes.ts'
import { mirrorConfigCommand } from './mirror-config.ts'

interface Edge {
  readonly id: string
  readonly name: string
  readonly region: string
  readonly url: string
  readonly status: string
  readonly version?: string
  readonly last_seen?: string
  readonly lag?: number
}

interface EnrolOptions {
  readonly origin: string
  readonly token: string
  readonly url?: string
  readonly config?: string
}

export function edgeCommands(program: Command): void {
  const edge = program.command('edge').description('the places that serve pulls near the machines')

  edge
    .command('ls')
    .description('list the edges, how they are and how far behind')
    .action(async (_options: unknown, command: Command) => {
      const { api, out } = await contextOf(command)
      const edges = await api.get<Edge[]>('/api/atoll/v1/edges')
      out.rows(
        edges,
        [
          { title: 'NAME', value: (row) => row.name },
          { title: 'REGION', value: (row) => row.region },
          { title: 'STATUS', value: (row) => row.status },
          { title: 'URL', value: (row) => row.url },
          { title: 'VERSION', value: (row) => row.version },
          { title: 'BEHIND', value: (row) => row.lag },
          { title: 'LAST SEEN', value: (row) => row.last_seen },
          { title: 'ID', value: (row) => row.id },
        ],
        'No edge yet. Make a token for one: atoll edge token NAME --region REGION',
      )
    })

  edge
    .command('token <name>')
    .description('make a one-time token with which one edge can enrol')
    .option('--region <region>', 'where it stands', 'default')
    .action(async (name: string, options: { region: string }, command: Command) => {
      const { api, out } = await contextOf(command)
      const made = await api.create<{ name: string; token: string; expires_at: string }>('/api/atoll/v1/edges', { name, region: options.region })
      out.note(
        `Good once, until ${made.expires_at}. On the edge's machine:\n  atoll edge enroll --origin ${api.url} --token TOKEN && ATOLL_EDGE_ORIGIN_URL=${api.url} atoll serve --role edge`,
      )
      out.item(made, made.token)
    })

  edge
    .command('enroll')
    .description('enrol the edge on this machine: makes its key pair and registers the public half')
    .requiredOption('--origin <url>', 'the origin that it belongs to')
    .requiredOption('--token <token>', 'from `atoll edge token`')
    .option('--url <url>', 'where clients will reach this edge')
    .option('--config <file>', 'the configuration file')
    .action(async (options: EnrolOptions, command: Command) => {
      const { enrolHere } = await import('../serve/enrol.ts')
      const enrolled = await enrolHere({ ...options, env: process.env, cwd: process.cwd() })
      outputOf(command).item(
        enrolled,
        `Enrolled as ${enrolled.name} (${enrolled.id}) in ${enrolled.region}. Start it: ATOLL_EDGE_ORIGIN_URL=${options.origin} atoll serve --role edge`,
      )
    })

  edge
    .command('revoke <name>')
    .description('end an edge: its feed stops at once, its key is never accepted again')
    .action(async (name: string, _options: unknown, command: Command) => {
      const { api, out } = await contextOf(command)
      const edges = await api.get<Edge[]>('/api/atoll/v1/edges')
      const found = edges.find((one) => one.id === name) ?? edges.find((one) => one.name === name && one.status !== 'revoked')
      if (!found) throw new CliError(`There is no edge ${name}.`, EXIT.notFound)
      await api.call('DELETE', `/api/atoll/v1/edges/${found.id}`)
      out.item(found, `Revoked ${found.name}.`)
    })

  mirrorConfigCommand(edge)
}

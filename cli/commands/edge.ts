import type { Command } from 'commander'
import type { Api } from '../api.ts'
import { contextOf, outputOf } from '../context.ts'
import { CliError, EXIT } from '../exit-codes.ts'
import { bytes } from '../output.ts'
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
  readonly enrolled_at?: string
  readonly revoked_at?: string
  readonly draining?: boolean
  readonly draining_since?: string
  readonly report?: Report
}

interface Report {
  readonly unwell?: string
  readonly hits?: number
  readonly misses?: number
  readonly bytesServed?: number
  readonly bytesFetched?: number
  readonly diskBytes?: number
  readonly caches?: readonly {
    readonly name: string
    readonly stored: number
    readonly capacity?: number
    readonly evicted: number
    readonly refused: number
  }[]
  readonly upstreams?: readonly { readonly upstream: string; readonly credential: string; readonly limit?: number; readonly remaining?: number }[]
}

interface EnrolOptions {
  readonly origin: string
  readonly token: string
  readonly url?: string
  readonly config?: string
}

const EDGES = '/api/atoll/v1/edges'

export function edgeCommands(program: Command): void {
  const edge = program.command('edge').description('the places that serve pulls near the machines')

  edge
    .command('ls')
    .description('list the edges, how they are and how far behind')
    .action(async (_options: unknown, command: Command) => {
      const { api, out } = await contextOf(command)
      const edges = await Array.fromAsync(api.list<Edge>(EDGES))
      out.rows(
        edges,
        [
          { title: 'NAME', value: (row) => row.name },
          { title: 'REGION', value: (row) => row.region },
          { title: 'STATUS', value: statusOf },
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
      const made = await api.create<{ name: string; token: string; expires_at: string }>(EDGES, { name, region: options.region })
      out.note(
        [
          `Good once, until ${made.expires_at}. On the edge's machine, with the address at which clients and other edges reach it:`,
          `  export ATOLL_EDGE_ORIGIN_URL=${api.url} ATOLL_EDGE_URL=https://EDGE`,
          `  atoll edge enroll --origin ${api.url} --url https://EDGE --token TOKEN && atoll serve --role edge`,
        ].join('\n'),
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
        `Enrolled as ${enrolled.name} (${enrolled.id}) in ${enrolled.region}. Start it: ATOLL_EDGE_ORIGIN_URL=${options.origin}${options.url === undefined ? '' : ` ATOLL_EDGE_URL=${options.url}`} atoll serve --role edge`,
      )
    })

  edge
    .command('show <name>')
    .description('one edge: how it is, what it serves, and how often its upstreams may still be asked')
    .action(async (name: string, _options: unknown, command: Command) => {
      const { api, out } = await contextOf(command)
      const found = await findEdge(api, name)
      out.item(found, described(found, await logins(api, found)))
    })

  edge
    .command('drain <name>')
    .description('have nobody sent to an edge any more: its readiness fails, neighbours and the nearest edge leave it alone; it still answers')
    .action(async (name: string, _options: unknown, command: Command) => {
      const { api, out } = await contextOf(command)
      const found = await findEdge(api, name)
      await api.call('PUT', `${EDGES}/${found.id}/draining`)
      out.item({ ...found, draining: true }, `${found.name} is drained. Bring it back: atoll edge undrain ${found.name}`)
    })

  edge
    .command('undrain <name>')
    .description('have clients sent to a drained edge again')
    .action(async (name: string, _options: unknown, command: Command) => {
      const { api, out } = await contextOf(command)
      const found = await findEdge(api, name)
      await api.call('DELETE', `${EDGES}/${found.id}/draining`)
      out.item({ ...found, draining: false }, `${found.name} is back.`)
    })

  edge
    .command('revoke <name>')
    .description('end an edge: its feed stops at once, its key is never accepted again')
    .action(async (name: string, _options: unknown, command: Command) => {
      const { api, out } = await contextOf(command)
      const found = await findEdge(api, name)
      await api.call('DELETE', `${EDGES}/${found.id}`)
      out.item(found, `Revoked ${found.name}.`)
    })

  mirrorConfigCommand(edge)
}

/** By its name or its id. @throws CliError when there is none */
async function findEdge(api: Api, name: string): Promise<Edge> {
  for await (const edge of api.list<Edge>(EDGES)) {
    if (edge.id === name || edge.name === name) return edge
  }
  throw new CliError(`There is no edge ${name}. See which there are: atoll edge ls`, EXIT.notFound)
}

function statusOf({ status, draining, report }: Edge): string {
  return [status, draining === true && 'drained', report?.unwell !== undefined && 'unwell'].filter((word) => word !== false).join(', ')
}

/** What people call the credentials of upstreams: an edge knows the endpoint that they belong to by its id. */
async function logins(api: Api, { report }: Edge): Promise<ReadonlyMap<string, string>> {
  const names = new Map<string, string>()
  for (const { credential } of report?.upstreams ?? []) {
    const id = /^login\.(\d+)$/.exec(credential)?.[1]
    if (id === undefined || names.has(credential)) continue
    const endpoint = await api.get<{ readonly name: string }>(`/api/v2.0/registries/${id}`).catch((error: unknown) => {
      if (error instanceof CliError && error.exitCode === EXIT.notFound) return undefined
      throw error
    })
    names.set(credential, endpoint === undefined ? 'the login of an endpoint that is gone' : `the login of endpoint ${endpoint.name}`)
  }
  return names
}

function described(edge: Edge, logins: ReadonlyMap<string, string>): string {
  const { hits, misses, bytesServed, bytesFetched, diskBytes, caches = [], upstreams = [] } = edge.report ?? {}
  const asked = hits === undefined || misses === undefined ? undefined : hits + misses
  const lines: readonly (readonly [string, string | number | undefined])[] = [
    ['name', edge.name],
    ['id', edge.id],
    ['region', edge.region],
    ['url', edge.url],
    ['status', statusOf(edge)],
    ['unwell', edge.report?.unwell],
    ['version', edge.version],
    ['enrolled', edge.enrolled_at],
    ['last seen', edge.last_seen],
    ['behind', edge.lag === undefined ? undefined : `${edge.lag} changes`],
    ['hits', asked === undefined || asked === 0 ? undefined : `${hits} of ${asked} (${Math.round((100 * (hits ?? 0)) / asked)} %)`],
    ['served', bytesServed === undefined ? undefined : bytes(bytesServed)],
    ['fetched', bytesFetched === undefined ? undefined : bytes(bytesFetched)],
    ['on disk', diskBytes === undefined ? undefined : bytes(diskBytes)],
    ...caches.map(
      ({ name, stored, capacity, evicted, refused }) =>
        [
          `cache ${name}`,
          `${bytes(stored)} of ${capacity === undefined ? 'no limit' : bytes(capacity)}, ${evicted} evicted, ${refused} found no room`,
        ] as const,
    ),
    ...upstreams.map(
      ({ upstream, credential, limit, remaining }) =>
        [`${upstream} (${logins.get(credential) ?? credential})`, `${remaining ?? '?'} of ${limit ?? '?'} requests left`] as const,
    ),
  ]
  const shown = lines.filter(([, value]) => value !== undefined && value !== '')
  const width = Math.max(...shown.map(([title]) => title.length))
  return shown.map(([title, value]) => `${title.padEnd(width)}  ${value}`).join('\n')
}

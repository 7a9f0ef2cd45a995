import { type Command, InvalidArgumentError } from 'commander'
import { type Context, contextOf } from '../context.ts'
import { CliError, EXIT } from '../exit-codes.ts'
import { projectId } from './project.ts'

interface Robot {
  readonly id: number
  readonly name: string
  readonly description?: string
  readonly level: string
  readonly disable?: boolean
  readonly duration?: number
  /** Seconds since the epoch; -1: never. */
  readonly expires_at?: number
  readonly permissions?: readonly unknown[]
}

interface Access {
  readonly resource: string
  readonly action: string
}

const ALLOW: Readonly<Record<string, readonly Access[]>> = {
  pull: [{ resource: 'repository', action: 'pull' }],
  push: [
    { resource: 'repository', action: 'pull' },
    { resource: 'repository', action: 'push' },
  ],
  delete: [
    { resource: 'repository', action: 'delete' },
    { resource: 'artifact', action: 'delete' },
    { resource: 'tag', action: 'delete' },
  ],
}

export function robotCommands(program: Command): void {
  const robot = program.command('robot').description('accounts for machines: CI, clusters, scripts')

  robot
    .command('ls')
    .description('list robots')
    .option('--project <name>', 'those of one project; without it, those of the system')
    .action(async (options: { project?: string }, command: Command) => {
      const { api, out } = await contextOf(command)
      const robots = await Array.fromAsync(robotsOf({ api }, options.project))
      out.rows(
        robots,
        [
          { title: 'NAME', value: (row) => row.name },
          { title: 'DESCRIPTION', value: (row) => row.description },
          { title: 'ENABLED', value: (row) => !row.disable },
          { title: 'EXPIRES', value: (row) => expiry(row.expires_at) },
        ],
        'No robot here yet. Make one: atoll robot create NAME --project PROJECT --allow push',
      )
    })

  robot
    .command('create <name>')
    .description('make a robot; its secret is shown this once')
    .option('--project <name...>', 'the projects it may work in; one makes it a robot of that project, several (or *) one of the system', collect)
    .option('--allow <what...>', 'what it may do there: pull, push, delete, or resource:action', collectAccess)
    .option('--days <n>', 'how long it lives; -1 for ever', parseDays, 30)
    .option('--description <text>', 'what it is for', '')
    .action(async (name: string, options: { project?: string[]; allow?: Access[]; days: number; description: string }, command: Command) => {
      const { api, out } = await contextOf(command)
      const projects = options.project ?? ['*']
      const [only] = projects
      const level = projects.length === 1 && only !== '*' ? 'project' : 'system'
      const made = await api.create<Robot & { secret: string }>('/api/v2.0/robots', {
        name,
        description: options.description,
        level,
        duration: options.days,
        disable: false,
        permissions: projects.map((namespace) => ({ kind: 'project', namespace, access: options.allow ?? ALLOW.pull })),
      })
      out.note(`Keep the secret of ${made.name}: it is not shown again.`)
      out.item(made, `${made.name}\n${made.secret}`)
    })

  for (const [verb, disable] of [
    ['disable', true],
    ['enable', false],
  ] as const) {
    robot
      .command(`${verb} <name>`)
      .description(disable ? 'refuse it from now on, at the origin and at every edge' : 'let it in again')
      .action(async (name: string, _options: unknown, command: Command) => {
        const { api, out } = await contextOf(command)
        const found = await findRobot({ api }, name)
        await api.call('PUT', `/api/v2.0/robots/${found.id}`, { ...found, disable })
        out.item({ ...found, disable }, `${found.name} is ${verb}d.`)
      })
  }

  robot
    .command('refresh <name>')
    .description('give it a new secret, shown this once; the old one stops working')
    .action(async (name: string, _options: unknown, command: Command) => {
      const { api, out } = await contextOf(command)
      const found = await findRobot({ api }, name)
      const { body } = await api.call<{ secret: string }>('PATCH', `/api/v2.0/robots/${found.id}`, {})
      out.item({ id: found.id, name: found.name, secret: body.secret }, body.secret)
    })

  robot
    .command('rm <name>')
    .description('delete a robot')
    .action(async (name: string, _options: unknown, command: Command) => {
      const { api, out } = await contextOf(command)
      const found = await findRobot({ api }, name)
      await api.call('DELETE', `/api/v2.0/robots/${found.id}`)
      out.item({ id: found.id, name: found.name }, `Deleted ${found.name}.`)
    })
}

async function* robotsOf({ api }: Pick<Context, 'api'>, project: string | undefined): AsyncGenerator<Robot> {
  const query = project === undefined ? 'Level=system' : `Level=project,ProjectID=${await projectId({ api }, project)}`
  yield* api.list<Robot>(`/api/v2.0/robots?${new URLSearchParams({ q: query })}`)
}

/** By its full name: `robot$team+ci` belongs to the project team, `robot$ci` to the system. The prefix may be left out. */
async function findRobot({ api }: Pick<Context, 'api'>, text: string): Promise<Robot> {
  const name = text.replace(/^robot\$/, '')
  const plus = name.indexOf('+')
  for await (const robot of robotsOf({ api }, plus < 0 ? undefined : name.slice(0, plus))) {
    if (robot.name === `robot$${name}` || robot.name === name) return robot
  }
  throw new CliError(`There is no robot ${text}. A project's robot is named 'PROJECT+NAME'.`, EXIT.notFound)
}

function expiry(seconds: number | undefined): string {
  return seconds === undefined || seconds < 0 ? 'never' : new Date(seconds * 1000).toISOString()
}

function collect(value: string, before: string[] | undefined): string[] {
  return [...(before ?? []), value]
}

function collectAccess(value: string, before: Access[] | undefined): Access[] {
  const known = ALLOW[value]
  if (known) return [...(before ?? []), ...known]
  const [resource, action] = value.split(':')
  if (!resource || !action) throw new InvalidArgumentError('say pull, push, delete or resource:action')
  return [...(before ?? []), { resource, action }]
}

function parseDays(text: string): number {
  const days = Number(text)
  if (!Number.isSafeInteger(days) || days === 0 || days < -1) throw new InvalidArgumentError('give a number of days, or -1 for ever')
  return days
}

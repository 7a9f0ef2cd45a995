import { type Command, Option } from 'commander'
import { type Context, contextOf, parseSize } from '../context.ts'
import { CliError, EXIT } from '../exit-codes.ts'
import { bytes } from '../output.ts'
import { projectRulesCommands } from './project-rules.ts'

interface Project {
  readonly project_id: number
  readonly name: string
  readonly registry_id?: number
  readonly repo_count?: number
  readonly owner_name?: string
  readonly creation_time?: string
  readonly metadata?: { readonly public?: string }
}

interface Member {
  readonly id: number
  readonly entity_name: string
  readonly entity_type: string
  readonly role_id: number
  readonly role_name: string
}

/** Names for Harbor's role ids, as people type them. */
const ROLE_IDS: Readonly<Record<string, number>> = { 'project-admin': 1, developer: 2, guest: 3, maintainer: 4, 'limited-guest': 5 }

export function projectCommands(program: Command): void {
  const project = program.command('project').description('projects: the tenants of a registry')

  project
    .command('ls')
    .description('list the projects that you may see')
    .option('--name <text>', 'only those whose name contains this')
    .action(async (options: { name?: string }, command: Command) => {
      const { api, out } = await contextOf(command)
      const query = options.name === undefined ? '' : `?${new URLSearchParams({ name: options.name })}`
      const projects = await Array.fromAsync(api.list<Project>(`/api/v2.0/projects${query}`))
      out.rows(
        projects,
        [
          { title: 'NAME', value: (row) => row.name },
          { title: 'PUBLIC', value: (row) => row.metadata?.public === 'true' },
          { title: 'KIND', value: (row) => (row.registry_id ? 'proxy cache' : 'project') },
          { title: 'REPOSITORIES', value: (row) => row.repo_count ?? 0 },
          { title: 'OWNER', value: (row) => row.owner_name },
        ],
        'No project here yet. Make one: atoll project create NAME',
      )
    })

  project
    .command('create <name>')
    .description('make a project')
    .option('--public', 'anyone may pull from it', false)
    .option('--storage-limit <size>', 'for instance 100GiB; -1 for no limit', parseSize, -1)
    .option('--proxy <endpoint>', 'a proxy cache of this registry endpoint (its name; see `atoll replicate endpoint ls`)')
    .action(async (name: string, options: { public: boolean; storageLimit: number; proxy?: string }, command: Command) => {
      const { api, out } = await contextOf(command)
      const registryId = options.proxy === undefined ? undefined : await endpointId({ api }, options.proxy)
      const made = await api.create<Project>('/api/v2.0/projects', {
        project_name: name,
        public: options.public,
        storage_limit: options.storageLimit,
        ...(registryId !== undefined && { registry_id: registryId }),
      })
      out.item(
        made,
        `Created ${options.public ? 'the public' : 'the private'} project ${name}. ${options.proxy === undefined ? 'Push to it' : 'Pull through it'}: ${new URL(api.url).host}/${name}/<repository>:<tag>`,
      )
    })

  project
    .command('show <name>')
    .description('what a project is, and how full')
    .action(async (name: string, _options: unknown, command: Command) => {
      const { api, out } = await contextOf(command)
      const found = await api.get<Project>(`/api/v2.0/projects/${encodeURIComponent(name)}`)
      const summary = await api.get<{ quota?: { hard?: { storage?: number }; used?: { storage?: number } } }>(
        `/api/v2.0/projects/${encodeURIComponent(name)}/summary`,
      )
      const used = `${bytes(summary.quota?.used?.storage ?? 0)} of ${bytes(summary.quota?.hard?.storage)}`
      out.item(
        { ...found, summary },
        `${found.name}: ${found.metadata?.public === 'true' ? 'public' : 'private'}, ${found.repo_count ?? 0} repositories, ${used} used, owner ${found.owner_name ?? '-'}`,
      )
    })

  project
    .command('recount <name>')
    .description('count anew what a project holds; its quota goes by that')
    .action(async (name: string, _options: unknown, command: Command) => {
      const { api, out } = await contextOf(command)
      const counted = await api.create<{ before: number; used: number }>(`/api/atoll/v1/projects/${encodeURIComponent(name)}/quota/recount`, {})
      const was = counted.before === counted.used ? 'as it was counted' : `${bytes(counted.before)} had been counted`
      out.item({ name, ...counted }, `${name} holds ${bytes(counted.used)}: ${was}.`)
    })

  project
    .command('rm <name>')
    .description('delete a project that has no repositories left')
    .action(async (name: string, _options: unknown, command: Command) => {
      const { api, out } = await contextOf(command)
      await api.call('DELETE', `/api/v2.0/projects/${encodeURIComponent(name)}`)
      out.item({ name }, `Deleted the project ${name}.`)
    })

  memberCommands(project)
  projectRulesCommands(project)
}

function memberCommands(project: Command): void {
  const member = project.command('member').description('who belongs to a project, and as what')
  const role = () => new Option('--role <role>', 'what the member may do').choices(Object.keys(ROLE_IDS)).default('developer')

  member
    .command('ls <project>')
    .description('list the members of a project')
    .action(async (name: string, _options: unknown, command: Command) => {
      const { api, out } = await contextOf(command)
      const members = await Array.fromAsync(api.list<Member>(membersPath(name)))
      out.rows(
        members,
        [
          { title: 'NAME', value: (row) => row.entity_name },
          { title: 'KIND', value: (row) => (row.entity_type === 'g' ? 'group' : 'user') },
          { title: 'ROLE', value: (row) => row.role_name },
        ],
        `${name} has no members yet. Add one: atoll project member add ${name} USER`,
      )
    })

  member
    .command('add <project> <user>')
    .description('make a user a member')
    .addOption(role())
    .action(async (name: string, user: string, options: { role: string }, command: Command) => {
      const { api, out } = await contextOf(command)
      await api.call('POST', membersPath(name), { role_id: ROLE_IDS[options.role], member_user: { username: user } })
      out.item({ project: name, user, role: options.role }, `${user} is now ${options.role} of ${name}.`)
    })

  member
    .command('set <project> <user>')
    .description('give a member another role')
    .addOption(role())
    .action(async (name: string, user: string, options: { role: string }, command: Command) => {
      const { api, out } = await contextOf(command)
      await api.call('PUT', `${membersPath(name)}/${await memberId({ api }, name, user)}`, { role_id: ROLE_IDS[options.role] })
      out.item({ project: name, user, role: options.role }, `${user} is now ${options.role} of ${name}.`)
    })

  member
    .command('rm <project> <user>')
    .description('remove a member')
    .action(async (name: string, user: string, _options: unknown, command: Command) => {
      const { api, out } = await contextOf(command)
      await api.call('DELETE', `${membersPath(name)}/${await memberId({ api }, name, user)}`)
      out.item({ project: name, user }, `${user} is no longer a member of ${name}.`)
    })
}

export async function endpointId({ api }: Pick<Context, 'api'>, name: string): Promise<number> {
  for await (const endpoint of api.list<{ id: number; name: string }>('/api/v2.0/registries')) {
    if (endpoint.name === name || String(endpoint.id) === name) return endpoint.id
  }
  throw new CliError(`There is no endpoint ${name}. See them with: atoll replicate endpoint ls`, EXIT.notFound)
}

/** @returns the project's id. */
export async function projectId({ api }: Pick<Context, 'api'>, name: string): Promise<number> {
  return (await api.get<Project>(`/api/v2.0/projects/${encodeURIComponent(name)}`)).project_id
}

async function memberId({ api }: Pick<Context, 'api'>, project: string, user: string): Promise<number> {
  for await (const member of api.list<Member>(`${membersPath(project)}?${new URLSearchParams({ entityname: user })}`)) {
    if (member.entity_name === user) return member.id
  }
  throw new CliError(`${user} is no member of ${project}.`, EXIT.notFound)
}

function membersPath(project: string): string {
  return `/api/v2.0/projects/${encodeURIComponent(project)}/members`
}

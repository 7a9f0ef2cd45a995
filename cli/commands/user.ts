import type { Command } from 'commander'
import { type Context, contextOf } from '../context.ts'
import { CliError, EXIT } from '../exit-codes.ts'
import { askSecret, lineFromStdin } from '../prompt.ts'

interface User {
  readonly user_id: number
  readonly username: string
  readonly email?: string
  readonly realname?: string
  readonly sysadmin_flag?: boolean
}

export function userCommands(program: Command): void {
  const user = program.command('user').description('people who log in with a password of their own')

  user
    .command('ls')
    .description('list users')
    .action(async (_options: unknown, command: Command) => {
      const { api, out } = await contextOf(command)
      const users = await Array.fromAsync(api.list<User>('/api/v2.0/users'))
      out.rows(
        users,
        [
          { title: 'NAME', value: (row) => row.username },
          { title: 'REAL NAME', value: (row) => row.realname },
          { title: 'EMAIL', value: (row) => row.email },
          { title: 'ADMIN', value: (row) => row.sysadmin_flag ?? false },
        ],
        'No user yet. Make one: atoll user create NAME --email ADDRESS',
      )
    })

  user
    .command('create <name>')
    .description('make a user')
    .requiredOption('--email <address>', 'where to reach the person')
    .option('--realname <name>', 'how the person is called')
    .option('--comment <text>', 'what others should know')
    .option('--admin', 'a system administrator', false)
    .option('--new-password-stdin', 'read the new password from standard input')
    .action(
      async (
        name: string,
        options: { email: string; realname?: string; comment?: string; admin: boolean; newPasswordStdin?: boolean },
        command: Command,
      ) => {
        const { api, out } = await contextOf(command)
        await api.call('POST', '/api/v2.0/users', {
          username: name,
          email: options.email,
          realname: options.realname ?? name,
          comment: options.comment ?? '',
          password: await newPassword(name, options),
        })
        const made = await findUser({ api }, name)
        if (options.admin) await api.call('PUT', `/api/v2.0/users/${made.user_id}/sysadmin`, { sysadmin_flag: true })
        out.item({ ...made, sysadmin_flag: options.admin }, `Created the user ${name}${options.admin ? ', a system administrator' : ''}.`)
      },
    )

  user
    .command('passwd <name>')
    .description('set the password of a user')
    .option('--new-password-stdin', 'read the new password from standard input')
    .action(async (name: string, options: { newPasswordStdin?: boolean }, command: Command) => {
      const { api, out } = await contextOf(command)
      const { user_id } = await findUser({ api }, name)
      await api.call('PUT', `/api/v2.0/users/${user_id}/password`, { new_password: await newPassword(name, options) })
      out.item({ username: name }, `The password of ${name} is changed.`)
    })

  user
    .command('admin <name>')
    .description('make a user a system administrator')
    .option('--off', 'take it away again', false)
    .action(async (name: string, options: { off: boolean }, command: Command) => {
      const { api, out } = await contextOf(command)
      const { user_id } = await findUser({ api }, name)
      await api.call('PUT', `/api/v2.0/users/${user_id}/sysadmin`, { sysadmin_flag: !options.off })
      out.item({ username: name, sysadmin_flag: !options.off }, `${name} is ${options.off ? 'no longer' : 'now'} a system administrator.`)
    })

  user
    .command('rm <name>')
    .description('delete a user; the name can be given again, the rights do not come back with it')
    .action(async (name: string, _options: unknown, command: Command) => {
      const { api, out } = await contextOf(command)
      const { user_id } = await findUser({ api }, name)
      await api.call('DELETE', `/api/v2.0/users/${user_id}`)
      out.item({ username: name }, `Deleted the user ${name}.`)
    })
}

async function findUser({ api }: Pick<Context, 'api'>, name: string): Promise<User> {
  for await (const user of api.list<User>(`/api/v2.0/users?${new URLSearchParams({ q: `username=${name}` })}`)) {
    if (user.username === name) return user
  }
  throw new CliError(`There is no user ${name}.`, EXIT.notFound)
}

async function newPassword(name: string, options: { newPasswordStdin?: boolean }): Promise<string> {
  return options.newPasswordStdin ? await lineFromStdin() : await askSecret(`New password of ${name}`)
}

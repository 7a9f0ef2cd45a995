import type { Command } from 'commander'
import { Api } from '../api.ts'
import { outputOf } from '../context.ts'
import { askSecret, lineFromStdin } from '../prompt.ts'
import { forgetSession, keepSession, readSession, type SessionOverrides } from '../session.ts'

export function loginCommands(program: Command): void {
  program
    .command('login [server]')
    .description('check a user name and password, and keep them for later commands')
    .option('--password-stdin', 'read the password from standard input')
    .action(async (server: string | undefined, options: { passwordStdin?: boolean }, command: Command) => {
      const given = command.optsWithGlobals<SessionOverrides>()
      const session = await readSession(process.env, { ...given, ...(server !== undefined && { server }) })
      const username = session.username ?? 'admin'
      const password = options.passwordStdin
        ? await lineFromStdin()
        : (given.password ?? session.password ?? (await askSecret(`Password of ${username}`)))
      const complete = { url: session.url, username, password }
      const user = await new Api(complete).get<{ username: string; sysadmin_flag?: boolean }>('/api/v2.0/users/current')
      const file = await keepSession(process.env, complete)
      outputOf(command).item(
        { server: session.url, username: user.username, file },
        `Logged in to ${session.url} as ${user.username}; kept in ${file}.`,
      )
    })

  program
    .command('logout')
    .description('forget what `atoll login` kept, of the server that --server names or of all')
    .action(async (_options: unknown, command: Command) => {
      await forgetSession(process.env, command.optsWithGlobals<SessionOverrides>().server)
      outputOf(command).item({}, 'Logged out.')
    })
}

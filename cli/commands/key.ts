import type { Command } from 'commander'
import { contextOf } from '../context.ts'

interface SigningKey {
  readonly kid: string
  readonly created_at: string
  readonly retired_at?: string
  /** Whether new tokens and documents are signed with it. */
  readonly signs: boolean
}

const KEYS = '/api/atoll/v1/keys'

export function keyCommands(program: Command): void {
  const key = program.command('key').description('the keys that an origin signs tokens and documents with')

  key
    .command('ls')
    .description('list the keys that are good')
    .action(async (_options: unknown, command: Command) => {
      const { api, out } = await contextOf(command)
      out.rows(
        await api.get<SigningKey[]>(KEYS),
        [
          { title: 'KEY', value: (row) => row.kid },
          { title: 'SIGNS', value: (row) => row.signs },
          { title: 'MADE', value: (row) => row.created_at },
          { title: 'RETIRED', value: (row) => row.retired_at },
        ],
        'No key yet: the origin makes one when it starts.',
      )
    })

  key
    .command('rotate')
    .description('make a new key, which signs as soon as every edge knows it; what the old one signed stays good until it runs out')
    .action(async (_options: unknown, command: Command) => {
      const { api, out } = await contextOf(command)
      const keys = await api.create<SigningKey[]>(KEYS, {})
      out.item(keys, `Made ${keys.at(-1)?.kid}. It is published now and signs in two minutes; the one before it is retired then.`)
    })

  key
    .command('withdraw <kid>')
    .description('end a key at once, as when it was stolen: every token and document that it signed is refused from now on')
    .action(async (kid: string, _options: unknown, command: Command) => {
      const { api, out } = await contextOf(command)
      await api.call('DELETE', `${KEYS}/${encodeURIComponent(kid)}`)
      out.item({ kid }, `Withdrew ${kid}. Clients get new tokens by themselves.`)
    })
}

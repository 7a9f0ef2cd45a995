import { createInterface } from 'node:readline/promises'
import { Writable } from 'node:stream'
import { CliError, EXIT } from './exit-codes.ts'

/** The first line of standard input, for `--password-stdin`. */
export async function lineFromStdin(): Promise<string> {
  const lines = createInterface({ input: process.stdin })
  for await (const line of lines) {
    lines.close()
    return line
  }
  throw new CliError('Nothing came on standard input; a password was expected there.', EXIT.usage)
}

/** Asks at the terminal; what is typed is not shown. */
export async function askSecret(question: string): Promise<string> {
  if (!process.stdin.isTTY)
    throw new CliError(
      `${question}: there is no terminal to ask at. Give it on standard input, with --password-stdin (a new one: --new-password-stdin).`,
      EXIT.usage,
    )
  process.stderr.write(`${question}: `)
  const silent = new Writable({ write: (_chunk, _encoding, done) => done() })
  const terminal = createInterface({ input: process.stdin, output: silent, terminal: true })
  try {
    return await terminal.question('')
  } finally {
    terminal.close()
    process.stderr.write('\n')
  }
}

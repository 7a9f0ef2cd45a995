import { readFileSync } from 'node:fs'
import tab from '@bomb.sh/tab/commander'
import { Command, CommanderError } from 'commander'
import { auditCommands } from './commands/audit.ts'
import { drCommands } from './commands/dr.ts'
import { edgeCommands } from './commands/edge.ts'
import { gcCommands } from './commands/gc.ts'
import { keyCommands } from './commands/key.ts'
import { loginCommands } from './commands/login.ts'
import { projectCommands } from './commands/project.ts'
import { replicateCommands } from './commands/replicate.ts'
import { robotCommands } from './commands/robot.ts'
import { serveCommand } from './commands/serve.ts'
import { userCommands } from './commands/user.ts'
import { warmCommand } from './commands/warm.ts'
import { CliError, EXIT } from './exit-codes.ts'
import { Output } from './output.ts'

const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as { version: string }

const program = new Command('atoll')
  .description('A multi-tenant OCI registry: an origin, edges near the machines that pull, and replication between sites')
  .version(version)
  .option('--json', 'answer in JSON')
  .option('--server <url>', 'the origin to talk to (ATOLL_SERVER; http://127.0.0.1:8080)')
  .option('--username <name>', 'who you are there (ATOLL_USERNAME)')
  .option('--password <password>', 'better kept by `atoll login`, or in ATOLL_PASSWORD')
  .showHelpAfterError('(add --help for what there is)')
  .addHelpText(
    'after',
    `
Exit codes: ${EXIT.ok} done, ${EXIT.failed} failed, ${EXIT.usage} wrong usage, ${EXIT.denied} denied, ${EXIT.notFound} not found, ${EXIT.conflict} conflict, ${EXIT.unreachable} no answer.
Completion: source <(atoll completion bash), or zsh, fish, powershell.`,
  )
  .exitOverride()

serveCommand(program)
loginCommands(program)
projectCommands(program)
userCommands(program)
robotCommands(program)
replicateCommands(program)
gcCommands(program)
auditCommands(program)
edgeCommands(program)
keyCommands(program)
drCommands(program)
warmCommand(program)
inherit(program)
tab(program, { completionCommandName: 'completion' })

// Who reads no further (`| head`) has what he wanted: what is under way goes on, and nobody is told.
let readerLeft = false
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error) => {
    if (!isClosedPipe(error)) throw error
    readerLeft = true
  })
}

try {
  await program.parseAsync()
} catch (error) {
  process.exitCode = report(error)
}

/** Options of the program are taken after a subcommand's name, too: `atoll project ls --json`. */
function inherit(command: Command): void {
  for (const child of command.commands) {
    child.exitOverride()
    if (child.commands.length === 0) child.option('--json', 'answer in JSON')
    inherit(child)
  }
}

function isClosedPipe(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'EPIPE' && 'syscall' in error && error.syscall === 'write'
}

function report(error: unknown): number {
  if (readerLeft && isClosedPipe(error)) return EXIT.ok
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage
  const out = new Output({ json: process.argv.includes('--json'), stdout: process.stdout, stderr: process.stderr })
  const exitCode = error instanceof CliError ? error.exitCode : EXIT.failed
  out.error(error instanceof Error ? error.message : String(error), exitCode)
  return exitCode
}

import { type Command, Option } from 'commander'
import type { Role } from '../serve/roles.ts'

export function serveCommand(program: Command): void {
  program
    .command('serve')
    .description('run an origin with one edge beside it (no --role), or one part alone')
    .addOption(new Option('--role <role>', 'run just this').choices(['origin', 'edge', 'control-plane']))
    .option('--config <file>', 'the configuration file (ATOLL_CONFIG; ./atoll.yaml if it is there)')
    .action(async (options: { role?: Role; config?: string }) => {
      const { loadDrizzleQuickly } = await import('../serve/quick-drizzle.ts')
      loadDrizzleQuickly()
      // Loaded only here: every other command starts without the weight of a server.
      const { serve } = await import('../serve/serve.ts')
      await serve({ role: options.role, config: options.config, env: process.env, cwd: process.cwd() })
    })
}

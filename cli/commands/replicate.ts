import type { Command } from 'commander'
import { type Context, contextOf } from '../context.ts'
import { bytes } from '../output.ts'
import { customerCommands } from './customers.ts'
import { endpointCommands } from './replicate/endpoints.ts'
import { EXECUTIONS, type Execution, follow, progressOf, start } from './replicate/follow.ts'
import { findRule, RULES, type Rule, ruleCommands } from './replicate/rules.ts'

interface Task {
  readonly id: number
  readonly status: string
  readonly src_resource?: string
  readonly dst_resource?: string
}

export function replicateCommands(program: Command): void {
  const replicate = program.command('replicate').description('copy images between this origin and other registries')
  endpointCommands(replicate)
  ruleCommands(replicate)
  customerCommands(replicate)

  replicate
    .command('run <rule>')
    .description('start a rule now')
    .option('--wait', 'wait for its end; exit code 1 if anything failed', false)
    .action(async (name: string, options: { wait: boolean }, command: Command) => {
      const context = await contextOf(command)
      const rule = await findRule(context, name)
      await start(context, { policy_id: rule.id }, options.wait)
    })

  replicate
    .command('retry <execution>')
    .description('do again what failed in an execution, and nothing else')
    .option('--wait', 'wait for its end; exit code 1 if anything failed', false)
    .action(async (execution: string, options: { wait: boolean }, command: Command) => {
      const context = await contextOf(command)
      const { id, policy_id } = await context.api.get<Execution>(`${EXECUTIONS}/${encodeURIComponent(execution)}`)
      await start(context, { policy_id, retry_of: id }, options.wait)
    })

  replicate
    .command('watch <execution>')
    .description('show how an execution goes on until its end; exit code 1 if anything failed')
    .action(async (execution: string, _options: unknown, command: Command) => {
      await follow(await contextOf(command), `${EXECUTIONS}/${encodeURIComponent(execution)}`)
    })

  replicate
    .command('show <execution>')
    .description('how an execution stands')
    .action(async (execution: string, _options: unknown, command: Command) => {
      const { api, out } = await contextOf(command)
      const found = await api.get<Execution>(`${EXECUTIONS}/${encodeURIComponent(execution)}`)
      out.item(found, `Execution ${found.id}, ${progressOf(found)}`)
    })

  replicate
    .command('ls')
    .description('list executions, the newest first')
    .option('--rule <name>', 'only of this rule')
    .action(async (options: { rule?: string }, command: Command) => {
      const { api, out } = await contextOf(command)
      const query = options.rule === undefined ? '' : `?policy_id=${(await findRule({ api }, options.rule)).id}`
      const executions = await Array.fromAsync(api.list<Execution>(EXECUTIONS + query))
      const rules = new Map((await Array.fromAsync(api.list<Rule>(RULES))).map(({ id, name }) => [id, name]))
      out.rows(
        executions.map((execution) => ({ ...execution, rule: rules.get(execution.policy_id) ?? String(execution.policy_id) })),
        [
          { title: 'ID', value: (row) => row.id },
          { title: 'RULE', value: (row) => row.rule },
          { title: 'STATUS', value: (row) => row.status },
          { title: 'TRIGGER', value: (row) => row.trigger },
          { title: 'DONE', value: (row) => `${row.succeed ?? 0}/${row.total ?? 0}` },
          { title: 'FAILED', value: (row) => row.failed ?? 0 },
          { title: 'BYTES', value: (row) => bytes(row.bytes_done ?? 0) },
          { title: 'STARTED', value: (row) => row.start_time },
        ],
        'Nothing has run yet. Start a rule: atoll replicate run RULE',
      )
    })

  replicate
    .command('logs <execution>')
    .description('the log of each task of an execution')
    .action(async (execution: string, _options: unknown, command: Command) => {
      const { api, out } = await contextOf(command)
      const tasks = await Array.fromAsync(api.list<Task>(`${EXECUTIONS}/${encodeURIComponent(execution)}/tasks`))
      if (tasks.length === 0) {
        // What went wrong before there were tasks, the execution knows itself.
        const { status, status_text } = await api.get<Execution>(`${EXECUTIONS}/${encodeURIComponent(execution)}`)
        out.note(`Execution ${execution} has no tasks: ${status}${status_text ? `, ${status_text}` : ''}`)
      }
      const logs = []
      for (const task of tasks) logs.push({ ...task, log: await taskLog({ api }, execution, task.id) })
      out.item(logs, logs.map((task) => `# ${task.src_resource ?? task.id}: ${task.status}\n${task.log}`).join('\n'))
    })

  replicate
    .command('stop <execution>')
    .description('stop an execution; what has arrived stays')
    .action(async (execution: string, _options: unknown, command: Command) => {
      const { api, out } = await contextOf(command)
      const path = `${EXECUTIONS}/${encodeURIComponent(execution)}`
      const { status } = await api.get<Execution>(path)
      if (status === 'InProgress') await api.call('PUT', path)
      out.item(
        { id: Number(execution), status },
        status === 'InProgress' ? `Stopping execution ${execution}.` : `Execution ${execution} is over: ${status}`,
      )
    })
}

async function taskLog({ api }: Pick<Context, 'api'>, execution: string, task: number): Promise<string> {
  return await api.text(`${EXECUTIONS}/${encodeURIComponent(execution)}/tasks/${task}/log`)
}

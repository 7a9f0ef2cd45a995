import type { Command } from 'commander'
import { showDuration } from '../../runtime/settings/kinds.ts'
import { contextOf, parseCount, parseTime } from '../context.ts'
import { CliError, EXIT } from '../exit-codes.ts'

interface UpstreamRules {
  readonly allow: readonly string[]
  readonly deny: readonly string[]
  readonly minimum_age_days: number
  readonly exempt: readonly string[]
}

interface Mirror {
  readonly enabled: boolean
  readonly hosts: readonly string[]
}

interface Warming {
  readonly patterns: readonly string[]
  readonly edges: readonly string[]
  readonly platforms: readonly string[]
}

interface Grace {
  readonly seconds: number | null
  readonly public_afterwards: boolean
}

const pathOf = (project: string, rules: string) => `/api/atoll/v1/projects/${encodeURIComponent(project)}/${rules}`
const list = (items: readonly string[], none: string) => (items.length === 0 ? none : items.join(', '))

/** What Atoll knows of a project and Harbor does not. */
export function projectRulesCommands(project: Command): void {
  upstreamRules(project.command('upstream-rules').description('what a proxy cache lets through of its upstream'))
  mirror(project.command('mirror').description('which registries a proxy cache stands for, for clients that name images as those do'))
  warming(project.command('warming').description('what edges fetch as soon as it is pushed'))
  grace(project.command('grace').description('how long edges serve it that have lost their origin'))
}

function upstreamRules(rules: Command): void {
  showAndClear<UpstreamRules>(rules, 'upstream-rules', sentenceOfRules)
  rules
    .command('set <project>')
    .description('replace the rules; patterns are repository[:tag] by the upstream’s names, as library/*, **:latest, library/alpine:3.*')
    .option('--allow <pattern...>', 'only what one of these names is served')
    .option('--deny <pattern...>', 'what one of these names is not served')
    .option('--minimum-age <days>', 'hold back what was created less than so many days ago', parseCount, 0)
    .option('--exempt <digest...>', 'digests that are served however young they are')
    .action(async (name: string, options: { allow?: string[]; deny?: string[]; minimumAge: number; exempt?: string[] }, command: Command) => {
      const { api, out } = await contextOf(command)
      const { allow = [], deny = [], minimumAge, exempt = [] } = options
      const { body } = await api.call<UpstreamRules>('PUT', pathOf(name, 'upstream-rules'), { allow, deny, minimum_age_days: minimumAge, exempt })
      out.item(body, sentenceOfRules(name, body))
    })
}

function sentenceOfRules(name: string, { allow, deny, minimum_age_days: days, exempt }: UpstreamRules): string {
  const age = days === 0 ? 'of any age' : `at least ${days} days old (exempt: ${list(exempt, 'none')})`
  return `${name} serves ${list(allow, 'everything')}, except ${list(deny, 'nothing')}, ${age}.`
}

function mirror(mirrors: Command): void {
  const sentence = (name: string, { enabled, hosts }: Mirror) =>
    enabled ? `${name} stands for ${list(hosts, 'the registry that its endpoint names')}.` : `${name} stands for no registry.`
  showAndClear<Mirror>(mirrors, 'mirror', sentence)
  mirrors
    .command('set <project>')
    .description('say which registries it stands for')
    .option('--registry <host...>', 'hosts as images name them, for instance docker.io; that of the endpoint when absent')
    .option('--off', 'for none', false)
    .action(async (name: string, options: { registry?: string[]; off: boolean }, command: Command) => {
      if (options.off && options.registry !== undefined) throw new CliError('Give --registry or --off, not both.', EXIT.usage)
      const { api, out } = await contextOf(command)
      const { body } = await api.call<Mirror>('PUT', pathOf(name, 'mirror'), { enabled: !options.off, hosts: options.registry ?? [] })
      out.item(body, sentence(name, body))
    })
}

function warming(rules: Command): void {
  const sentence = (name: string, { patterns, edges, platforms }: Warming) =>
    patterns.length === 0
      ? `Edges fetch nothing of ${name} before somebody pulls it.`
      : `What is pushed to ${name} as ${patterns.join(', ')} is fetched at once by ${list(edges, 'every edge')}, for ${list(platforms, 'every platform')}.`
  showAndClear<Warming>(rules, 'warming', sentence)
  rules
    .command('set <project>')
    .description('say what edges fetch as soon as it is pushed; patterns are repository[:tag] without the project')
    .requiredOption('--pattern <pattern...>', 'for instance web/*:v*')
    .option('--edge <name...>', 'these edges; every one when absent')
    .option('--platform <platform...>', 'for instance linux/amd64; every one when absent')
    .action(async (name: string, options: { pattern: string[]; edge?: string[]; platform?: string[] }, command: Command) => {
      const { api, out } = await contextOf(command)
      const { pattern: patterns, edge: edges = [], platform: platforms = [] } = options
      const { body } = await api.call<Warming>('PUT', pathOf(name, 'warming'), { patterns, edges, platforms })
      out.item(body, sentence(name, body))
    })
}

function grace(rules: Command): void {
  const sentence = (name: string, { seconds, public_afterwards: stays }: Grace) =>
    `Edges that have lost their origin go on serving ${name} for ${seconds === null ? 'as long as their own grace' : `${showDuration(seconds)} at most`}, and afterwards ${stays ? 'what is public' : 'nothing'}.`
  showAndClear<Grace>(rules, 'grace', sentence)
  rules
    .command('set <project>')
    .description('say how long; an edge’s own grace (edge.grace) is the most in any case')
    .option('--for <time>', 'for instance 2h, or 0 for not at all; the edge’s own when absent', parseTime)
    .option('--public-afterwards', 'if the project is public, it stays so for everybody after that', false)
    .action(async (name: string, options: { for?: number; publicAfterwards: boolean }, command: Command) => {
      const { api, out } = await contextOf(command)
      const wanted: Grace = { seconds: options.for ?? null, public_afterwards: options.publicAfterwards }
      const { body } = await api.call<Grace>('PUT', pathOf(name, 'grace'), wanted)
      out.item(body, sentence(name, body))
    })
}

function showAndClear<T>(commands: Command, rules: string, sentence: (name: string, set: T) => string): void {
  commands
    .command('show <project>')
    .description('what is set')
    .action(async (name: string, _options: unknown, command: Command) => {
      const { api, out } = await contextOf(command)
      const set = await api.get<T>(pathOf(name, rules))
      out.item(set, sentence(name, set))
    })
  commands
    .command('clear <project>')
    .description('go back to the default')
    .action(async (name: string, _options: unknown, command: Command) => {
      const { api, out } = await contextOf(command)
      await api.call('DELETE', pathOf(name, rules))
      const set = await api.get<T>(pathOf(name, rules))
      out.item(set, sentence(name, set))
    })
}

import { environmentName, type Setting, type Settings } from './define.ts'

/** Settings as a table in Markdown. */
export function documentSettings(settings: Settings): string {
  const rows = Object.entries(settings).map(
    ([key, setting]) => `| \`${key}\` | \`${environmentName(key)}\` | ${shown(setting)} | ${description(setting)} |`,
  )
  return ['| Setting | Environment | Default | Meaning |', '| --- | --- | --- | --- |', ...rows].join('\n')
}

function shown({ default: value, kind }: Setting<unknown>): string {
  if (value === undefined || (Array.isArray(value) && value.length === 0)) return 'none'
  return `\`${kind.show?.(value) ?? String(value)}\``
}

function description({ description: text, kind, aliases = [], secret, live }: Setting<unknown>): string {
  const also = aliases.map((alias) => ` Also written \`${alias}\`.`).join('')
  return `${text} ${sentence(kind.expected)}${secret === true ? ' A secret.' : ''}${live === true ? ' Can be changed while running.' : ''}${also}`
}

function sentence(expected: string): string {
  return `${expected.charAt(0).toUpperCase()}${expected.slice(1)}.`
}

import { readFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { edgeMetrics } from '../../edge/metrics.ts'
import { originMetrics } from '../../origin/metrics.ts'
import type { Shown } from '../../runtime/observe/shown.ts'

/** Shows nothing: what is to be shown is asked only when somebody reads the page. */
function never(): never {
  throw new Error('nobody asks')
}

const FILE = new URL('../../docs/metrics.md', import.meta.url)
const fills = { counters: {} as never, size: 0, bytesHeld: 0 }
const ofEdges = edgeMetrics({ sources: never, budgets: never, fills, space: never, mesh: never })
const ofOrigins = originMetrics({ services: { db: {} as never }, proxies: { fills } as never, mesh: {} as never })

const row =
  (where: string) =>
  ({ name, labels = [], kind, help }: Shown) =>
    `| \`${name}\` | ${where} | ${kind} | ${labels.map((label) => `\`${label}\``).join(', ')} | ${help} |`

test('docs/metrics.md names every metric, as it is shown', async () => {
  const everywhere: Shown[] = [
    {
      name: 'atoll_http_answer_seconds',
      kind: 'gauge',
      help: 'From a request to the head of its answer: a histogram.',
      labels: ['route', 'status'],
      read: never,
    },
    { name: 'atoll_http_requests_in_progress', kind: 'gauge', help: 'Requests whose answer has not begun.', read: never },
  ]
  const table = [
    '| Name | Of | Kind | Labels | Meaning |',
    '|---|---|---|---|---|',
    ...everywhere.map(row('both')),
    ...ofEdges.map(row('edge')),
    ...ofOrigins.map(row('origin')),
  ].join('\n')
  const text = await readFile(FILE, 'utf8')
  await expect(text.replace(/(?:METRICS|\| Name \|[\s\S]*?)\n\n/, `${table}\n\n`)).toMatchFileSnapshot(FILE.pathname)
})

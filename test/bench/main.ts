import { delta } from './delta.ts'
import { edge } from './edge.ts'
import { fair } from './fair.ts'
import { garbage } from './growth/garbage.ts'
import { growth } from './growth/growth.ts'
import { retention } from './growth/retention.ts'
import { local } from './local.ts'
import { memory } from './memory.ts'
import { pushes } from './pushes.ts'
import { replication } from './replication.ts'
import { simulate } from './simulate.ts'
import { upstream } from './upstream.ts'
import { ways } from './ways/ways.ts'

const SECTIONS = { delta, local, upstream, edge, fair, memory, pushes, growth, retention, garbage, replication, simulate, ways }

const names = process.argv.slice(2)
for (const name of names.length > 0 ? names : Object.keys(SECTIONS)) {
  const section = SECTIONS[name as keyof typeof SECTIONS]
  if (section === undefined) {
    process.stderr.write(`There is no section ${name}; choose from ${Object.keys(SECTIONS).join(', ')}.\n`)
    process.exit(2)
  }
  await section()
}

import type { Database } from '../../schema/database.ts'
import { type Edge, listEdges } from '../../schema/edges.ts'
import { EDGES_PAGE } from './limits.ts'

/** The edges that are not revoked, by their names, a page at a time. */
export async function* allEdges(db: Database): AsyncGenerator<Edge> {
  for (let last: Edge | undefined; ; ) {
    const page = await listEdges(db, { limit: EDGES_PAGE, last })
    yield* page
    last = page.at(-1)
    if (page.length < EDGES_PAGE || last === undefined) return
  }
}

import type { Database } from '../../../schema/database.ts'

/** Something that the product does with its database, and what it is called in what a test says. */
export type Step = readonly [what: string, does: (db: Database, later: (ms: number) => void) => Promise<unknown>]

/** What is added to the name of a list that is asked by conditions, or in another order than its own. */
export const SEARCHED = ', searched or sorted'

export const listing = { page: 1, pageSize: 10 }

/** Does what is refused: the statements of a refusal count as well. @throws when it is not */
export async function refused(work: Promise<unknown>): Promise<void> {
  await work.then(
    () => {
      throw new RangeError('This should have been refused.')
    },
    () => undefined,
  )
}

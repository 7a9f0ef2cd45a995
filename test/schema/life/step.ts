import type { Database } from '../../../schema/database.ts'

/** Something that the product does with its database, and what it is called in what a test says. */
export type Step = readonly [what: string, does: (db: Database, later: (ms: number) => void) => Promise<unknown>]

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

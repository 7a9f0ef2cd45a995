import { openTestOrigin, PASSWORD } from '../../origin/testing/origin.ts'
import { fillLists, searchesOf, servedLists } from '../../origin/testing/searches.ts'
import { SEARCHED } from './life/step.ts'

/** Asks every list of the API by everything that it says it takes. `by` is told what asks. */
export async function askLists(by: (what: string) => void): Promise<void> {
  const origin = await openTestOrigin()
  try {
    await fillLists(origin.origin.services.db)
    for (const { operation, path, needs, list } of servedLists(origin)) {
      if (list === undefined) continue
      for (const search of searchesOf(list)) {
        by(search === '' ? operation : `${operation}${SEARCHED}`)
        await (await origin.ask('GET', `${path}?${needs}${search}`, { credentials: `admin:${PASSWORD}` })).body?.cancel()
      }
    }
  } finally {
    await origin.close()
  }
}

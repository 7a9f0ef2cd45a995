import { randomBytes } from 'node:crypto'
import type { Transaction } from '@libsql/client'
import { isSiteId, type SiteId } from '../registry/versions/version.ts'

export const newSiteId = (): SiteId => randomBytes(8).toString('hex') as SiteId

/** The name that this site has kept, or `made` from now on. In a transaction that writes, which drizzle has not opened. */
export async function siteIdIn(transaction: Transaction, made: SiteId): Promise<SiteId> {
  await transaction.execute({ sql: 'INSERT INTO this_site (id, name) VALUES (1, ?) ON CONFLICT DO NOTHING', args: [made] })
  const { rows } = await transaction.execute('SELECT name FROM this_site WHERE id = 1')
  const name = String(rows[0]?.name)
  if (!isSiteId(name)) throw new TypeError(`The database says that this site is called ${name}, which is no name of a site.`)
  return name
}

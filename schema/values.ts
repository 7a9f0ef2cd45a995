import { sql as raw, type SQL } from 'drizzle-orm'

/** The values of a list as a table that a condition can look in, by one parameter however many there are: `digest IN ${valuesOf(digests)}`. */
export function valuesOf(list: Iterable<string | number>): SQL {
  return raw`(SELECT value FROM json_each(${JSON.stringify([...list])}))`
}

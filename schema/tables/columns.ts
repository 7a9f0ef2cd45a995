import { customType, integer } from 'drizzle-orm/sqlite-core'

/** Text whose comparisons ignore the case of ASCII letters. Everything else compares as bytes. */
export const nocase = customType<{ data: string; driverData: string }>({ dataType: () => 'text COLLATE NOCASE' })

/** Bytes as they are. */
export const bytes = customType<{ data: Uint8Array<ArrayBuffer>; driverData: Uint8Array | ArrayBuffer }>({
  dataType: () => 'blob',
  fromDriver: (value) => new Uint8Array(value instanceof ArrayBuffer ? value : Uint8Array.from(value).buffer),
})

/** Milliseconds since the epoch. */
export const time = (name?: string) => (name === undefined ? integer({ mode: 'number' }) : integer(name, { mode: 'number' }))

/** Yes or no. */
export const flag = () => integer({ mode: 'boolean' })

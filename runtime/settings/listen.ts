import type { Kind } from './define.ts'

export interface ListenAddress {
  readonly host: string
  readonly port: number
}

/** An address and a port such as `127.0.0.1:9464` or `[::]:9464`; or nothing. */
export const optionalListen: Kind<ListenAddress | undefined> = {
  expected: 'an address and a port such as 127.0.0.1:9464',
  read: (value) => {
    const [, host = '', digits] = /^(\[[\da-fA-F:.]+\]|[\w.-]+):(\d{1,5})$/.exec(String(value)) ?? []
    const port = Number(digits)
    return digits === undefined || port > 65_535 ? undefined : { host: host.replace(/^\[|\]$/g, ''), port }
  },
}

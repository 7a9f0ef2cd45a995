import type { Kind } from './define.ts'

/** Where messages of syslog go: `tcp://host:514`, `tls://host:6514`, `udp://host:514`; or nothing. */
export const optionalSyslogUrl: Kind<string | undefined> = {
  expected: 'where syslog listens, such as tcp://logs.example.com:514 (or tls:, or udp:)',
  read: (value) => {
    if (typeof value !== 'string' || !URL.canParse(value)) return undefined
    const url = new URL(value)
    const plain = url.username === '' && url.password === '' && (url.pathname === '' || url.pathname === '/') && url.search === ''
    return ['tcp:', 'tls:', 'udp:'].includes(url.protocol) && url.hostname !== '' && plain ? value : undefined
  },
}

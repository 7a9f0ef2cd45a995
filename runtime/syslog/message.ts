/** What a message of syslog is made from (RFC 5424). */
export interface SyslogMessage {
  /** Milliseconds since the epoch. */
  readonly time: number
  /** Its kind, in printable ASCII: MSGID. */
  readonly id: string
  /** What is known, by names of letters: one element of STRUCTURED-DATA. */
  readonly data: Readonly<Record<string, string>>
  readonly text: string
}

export interface SyslogSource {
  readonly hostname: string
  readonly application: string
  /** Of the structured data: `audit@32473`. */
  readonly element: string
}

/** Facility "log audit", severity "informational". */
const PRIORITY = 13 * 8 + 6
/** Of a value, in characters: receivers take messages of 8 KiB. */
const VALUE_LIMIT = 1_024

/** One message as it travels, without a frame. */
export function syslogLine({ hostname, application, element }: SyslogSource, { time, id, data, text }: SyslogMessage): string {
  const params = Object.entries(data).map(([name, value]) => ` ${name}="${quoted(value.slice(0, VALUE_LIMIT))}"`)
  const header = [`<${PRIORITY}>1`, new Date(time).toISOString(), word(hostname, 255), word(application, 48), '-', word(id, 32)]
  return `${header.join(' ')} [${element}${params.join('')}] ${text.replaceAll(/[\r\n]+/g, ' ').slice(0, 2 * VALUE_LIMIT)}`
}

/** Header fields are printable ASCII without a space. */
function word(value: string, limit: number): string {
  const ascii = value.replaceAll(/[^\x21-\x7e]/g, '').slice(0, limit)
  return ascii === '' ? '-' : ascii
}

function quoted(value: string): string {
  return value.replaceAll(/["\\\]]/g, '\\$&').replaceAll(/[\r\n]+/g, ' ')
}

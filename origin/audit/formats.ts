import type { AuditRow } from '../../schema/audit/read.ts'

// How entries of the audit log look outside.

const COLUMNS = [
  'id',
  'time',
  'username',
  'actor',
  'address',
  'operation',
  'resource_type',
  'resource',
  'project_id',
  'succeeded',
  'count',
  'detail',
  'hash',
] as const

export const CSV_HEAD = `${COLUMNS.join(',')}\r\n`

/** RFC 4180. What a spreadsheet would take for a formula is kept a text by an apostrophe. */
export function csvLine(row: AuditRow): string {
  const entry = show(row)
  const cells = COLUMNS.map((column) => {
    const value = column === 'detail' ? row.detail : entry[column]
    const text = String(value ?? '')
    const safe = typeof value === 'string' && /^[=+\-@\t\r]/.test(text) && column !== 'hash' ? `'${text}` : text
    return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe
  })
  return `${cells.join(',')}\r\n`
}

export function jsonLine(row: AuditRow): string {
  return `${JSON.stringify(show(row))}\n`
}

function show(row: AuditRow) {
  return {
    id: row.id,
    time: new Date(row.time).toISOString(),
    username: row.username,
    actor: row.actor,
    address: row.address,
    operation: row.operation,
    resource_type: row.resourceType,
    resource: row.resource,
    project_id: row.projectId ?? undefined,
    succeeded: row.succeeded,
    count: row.count,
    detail: row.detail === '' ? undefined : (JSON.parse(row.detail) as unknown),
    hash: row.hash,
  }
}

import type { AuditRow } from '../../schema/audit/read.ts'
import { csvRow } from '../exports.ts'

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

export function csvLine(row: AuditRow): string {
  const entry = show(row)
  // A hash may begin like a formula, and is none.
  return csvRow(
    COLUMNS.map((column) => (column === 'detail' ? row.detail : entry[column])),
    COLUMNS.indexOf('hash'),
  )
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

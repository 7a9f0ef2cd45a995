import { z } from 'zod'
import { WEBHOOK_SECRET } from '../../control-plane/webhooks/deliver.ts'
import type { LogEntry } from '../../schema/mirror/log.ts'
import { liveSettings } from '../config/live-settings.ts'

// Secrets at rest are sealed by a key that never leaves its site. On their way to the peer they are opened, sealed for the peer alone, and
// sealed there by its own key.

type Row = Record<string, string | number | null>

/** Turns one sealed secret, bound to its purpose, into another form of it. */
export type Reseal = (sealed: string, purpose: string) => Promise<string>

type Rule = (row: Row, reseal: Reseal) => Promise<void>

const column =
  (name: string, purpose: (row: Row) => string): Rule =>
  async (row, reseal) => {
    const sealed = row[name]
    if (typeof sealed === 'string') row[name] = await reseal(sealed, purpose(row))
  }

const targets = z.array(z.looseObject({ sealedAuthHeader: z.string().optional() }))

/** Where secrets are, by the names of the database. */
export const SEALED: Readonly<Record<string, readonly Rule[]>> = {
  endpoints: [column('sealed_secret', (row) => `endpoint:${row.id}`)],
  signing_keys: [column('sealed_private', (row) => `signing-key:${row.kid}`)],
  oidc_links: [column('sealed_secret', () => 'oidc cli secret'), column('sealed_refresh_token', () => 'oidc refresh token')],
  webhook_policies: [
    async (row, reseal) => {
      const list = targets.parse(JSON.parse(String(row.targets)))
      for (const target of list) {
        if (target.sealedAuthHeader !== undefined) target.sealedAuthHeader = await reseal(target.sealedAuthHeader, WEBHOOK_SECRET)
      }
      row.targets = JSON.stringify(list)
    },
  ],
  settings: [
    async (row, reseal) => {
      const name = String(row.key).replace(/^config\./, '')
      const value: unknown = JSON.parse(String(row.value))
      const { secret = false } = Object.hasOwn(liveSettings, name) ? liveSettings[name as keyof typeof liveSettings] : {}
      if (secret && typeof value === 'string') row.value = JSON.stringify(await reseal(value, `config.${name}`))
    },
  ],
}

/** A row with its secrets in another form. */
export async function resealRow(name: string, row: string, reseal: Reseal): Promise<string> {
  const rules = Object.hasOwn(SEALED, name) ? SEALED[name] : undefined
  if (rules === undefined) return row
  const parsed = JSON.parse(row) as Row
  for (const rule of rules) await rule(parsed, reseal)
  return JSON.stringify(parsed)
}

/** Columns that let somebody in, or could be tried for it. */
const CREDENTIALS: readonly string[] = ['password_hash', 'secret_hash', 'hash', 'sealed_secret', 'sealed_private', 'sealed_refresh_token', 'targets']

/** A row for a person to read. */
export function withoutSecrets(name: string, row: string): Row {
  const parsed = JSON.parse(row) as Row
  const kept = Object.entries(parsed).filter(([column]) => !CREDENTIALS.includes(column) && !(name === 'settings' && column === 'value'))
  return Object.fromEntries(kept)
}

export async function resealEntries(entries: readonly LogEntry[], reseal: Reseal): Promise<LogEntry[]> {
  const done: LogEntry[] = []
  for (const entry of entries) done.push(entry.kind === 'put' ? { ...entry, row: await resealRow(entry.name, entry.row, reseal) } : entry)
  return done
}

import { z } from '@hono/zod-openapi'
import type { Project } from '../../schema/projects.ts'
import { badField } from './errors.ts'
import { ALLOWLIST_LIMIT } from './limits.ts'

// Vulnerabilities that a project accepts. Nothing looks for vulnerabilities yet: the list is kept and shown for clients that have one.

const Item = z.object({ cve_id: z.string().trim().min(1, 'is missing').max(64) }).openapi('CVEAllowlistItem')

export const Allowlist = z
  .object({
    id: z.number().optional(),
    project_id: z.number().optional(),
    /** Seconds since the epoch; null: never. */
    expires_at: z.number().int().min(0).max(Number.MAX_SAFE_INTEGER).nullish(),
    items: z
      .array(Item)
      .max(ALLOWLIST_LIMIT)
      .refine((items) => new Set(items.map(({ cve_id }) => cve_id)).size === items.length, 'names a vulnerability twice')
      .nullish(),
  })
  .openapi('CVEAllowlist')

/** Where it stands among a project's settings: no name of Harbor's, so it is shown in its own place only. */
const NAME = 'cve_allowlist'

/** As it is kept, in the place of the one before; nothing, where the request names none. @throws ApiError BAD_REQUEST for the list of another project */
export function keptAllowlist(given: z.infer<typeof Allowlist> | null | undefined, projectId?: number): Record<string, string> {
  if (given === null || given === undefined) return {}
  const { expires_at = null, items, project_id } = given
  if (projectId !== undefined && project_id && project_id !== projectId) throw badField('cve_allowlist.project_id', `is ${projectId}, or left out`)
  return { [NAME]: JSON.stringify({ expires_at, items: items ?? [] }) }
}

export function showAllowlist({ id, metadata }: Pick<Project, 'id' | 'metadata'>): z.infer<typeof Allowlist> {
  const kept = metadata[NAME]
  return { project_id: id, ...(kept === undefined ? { items: [] } : Allowlist.parse(JSON.parse(kept))) }
}

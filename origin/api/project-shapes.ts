import { z } from '@hono/zod-openapi'
import { rolesOf } from '../../policy/decide.ts'
import { type Principal, ROLES } from '../../policy/facts.ts'
import { highestRole } from '../../policy/roles.ts'
import { isRepositoryName } from '../../registry/spec/names.ts'
import type { Project as Row } from '../../schema/projects.ts'
import type { OriginServices } from '../services.ts'
import { instant } from './environment.ts'
import { badField } from './errors.ts'
import { Allowlist, keptAllowlist, showAllowlist } from './project-allowlist.ts'
import { PROXY_SETTINGS, ProjectSettings, ProjectSettingsChange, RETENTION_ID } from './project-settings.ts'

/** A project is the first component of its repositories' names. */
export const ProjectName = z
  .string()
  .min(1, 'is missing')
  .max(255, 'has 255 characters at most')
  .refine((name) => isRepositoryName(name) && !name.includes('/'), 'is lower-case letters and digits with single separators (. _ -) between them')

/** Bytes; -1: as many as there is room for. */
export const StorageLimit = z
  .number()
  .int()
  .max(Number.MAX_SAFE_INTEGER)
  .refine((bytes) => bytes >= -1, 'is a number of bytes, or -1 for no limit')
  // Clients of Go send what is not given as 0.
  .transform((bytes) => (bytes === 0 ? undefined : bytes))

const common = {
  public: z.boolean().nullish(),
  metadata: ProjectSettingsChange.nullish(),
  cve_allowlist: Allowlist.nullish(),
  storage_limit: StorageLimit.nullish(),
  registry_id: z.number().int().nullish(),
}

export const NewProject = z.object({ ...common, project_name: ProjectName }).openapi('ProjectReq')
export const ProjectChange = z.object({ ...common, project_name: z.string().nullish() })

export const Project = z
  .object({
    project_id: z.number().int(),
    owner_id: z.number().int(),
    owner_name: z.string(),
    name: z.string(),
    registry_id: z.number().int().optional(),
    creation_time: z.string(),
    update_time: z.string(),
    deleted: z.boolean(),
    togglable: z.boolean(),
    current_user_role_id: z.number().int(),
    current_user_role_ids: z.array(z.number().int()),
    repo_count: z.number().int(),
    metadata: ProjectSettings,
    cve_allowlist: Allowlist,
  })
  .openapi('Project')

/** `metadata` as the database takes it. `public` stands in two places; the one in `metadata` counts more. @throws ApiError BAD_REQUEST */
export function settingsOf(
  { metadata, public: flag, cve_allowlist }: z.infer<typeof ProjectChange>,
  before: { readonly id?: number; readonly proxy: boolean; readonly retentionId?: string | undefined },
): { readonly public: boolean | undefined; readonly metadata: Record<string, string> } {
  const { public: stated, [RETENTION_ID]: retention, ...settings } = metadata ?? {}
  if (retention && retention !== before.retentionId) {
    throw badField(`metadata.${RETENTION_ID}`, 'is set with the retention policy; leave it out, or send the one that the project has')
  }
  const isPublic = typeof stated === 'string' ? stated === 'true' : (flag ?? undefined)
  const given = Object.entries(settings).filter((entry): entry is [string, string] => typeof entry[1] === 'string')
  const meant = given.filter(([name]) => before.proxy || !PROXY_SETTINGS.has(name))
  return { public: isPublic, metadata: { ...Object.fromEntries(meant), ...keptAllowlist(cve_allowlist, before.id) } }
}

/** A project as this principal sees it. */
export async function showProject(services: Pick<OriginServices, 'projectFacts'>, principal: Principal, row: Row): Promise<z.infer<typeof Project>> {
  const facts = await services.projectFacts(row.id)
  const roles = principal.admin ? [ROLES.projectAdmin] : facts === undefined ? [] : [...new Set(rolesOf(principal, facts))]
  return {
    project_id: row.id,
    owner_id: row.ownerId,
    owner_name: row.ownerName,
    name: row.name,
    ...(row.endpointId !== null && { registry_id: row.endpointId }),
    creation_time: instant(row.createdAt),
    update_time: instant(row.updatedAt),
    deleted: false,
    togglable: principal.admin || roles.includes(ROLES.projectAdmin) || roles.includes(ROLES.maintainer),
    current_user_role_id: highestRole(roles) ?? 0,
    current_user_role_ids: roles,
    repo_count: row.repositoryCount,
    metadata: ProjectSettings.parse({ ...row.metadata, public: String(row.public) }),
    cve_allowlist: showAllowlist(row),
  }
}

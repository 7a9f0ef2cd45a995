import { z } from '@hono/zod-openapi'
import type { ProjectFacts, RobotPermission } from '../../policy/facts.ts'
import { numberOf } from '../../policy/subjects.ts'
import { createRobot, type Robot as Row } from '../../schema/robots.ts'
import { robotName } from '../identity/robot-names.ts'
import type { OriginServices } from '../services.ts'
import { instant } from './environment.ts'
import { ChosenSecret } from './password-rules.ts'
import { Permission, showPermissions } from './robot-permissions.ts'

const DAY_MS = 24 * 60 * 60 * 1000
/** As Harbor has it. */
const LONGEST_DAYS = 2 ** 31 - 2
/** What ends later than any date that can be written ends then. */
const LAST_MS = 8.64e15

export const Name = z
  .string()
  .max(255, 'has 255 characters at most')
  .regex(/^[a-z0-9]+(?:[._-][a-z0-9]+)*$/, 'is lower-case letters and digits with single separators (. _ -) between them')
export const Duration = z
  .number()
  .int()
  .refine((days) => days === -1 || (days >= 1 && days <= LONGEST_DAYS), `is a number of days from 1 to ${LONGEST_DAYS}, or -1 for ever`)
export const Description = z.string().max(1024, 'has 1024 characters at most')
export const Secret = z.union([z.literal(''), ChosenSecret])

export const NewRobot = z
  .object({
    name: Name,
    description: Description.nullish(),
    secret: Secret.nullish(),
    level: z.enum(['system', 'project']),
    disable: z.boolean().nullish(),
    /** Days; the system's own when absent. */
    duration: Duration.nullish(),
    permissions: z.array(Permission).min(1, 'needs one at least'),
  })
  .openapi('RobotCreate')

export const RobotChange = z.object({
  name: z.string().optional(),
  /** Go leaves out what is empty or false. */
  description: Description.nullish().transform((text) => text ?? ''),
  level: z.enum(['system', 'project']),
  disable: z
    .boolean()
    .nullish()
    .transform((disabled) => disabled ?? false),
  duration: Duration.nullish(),
  permissions: z.array(Permission),
})

export const Robot = z
  .object({
    id: z.number().int(),
    name: z.string(),
    description: z.string(),
    level: z.enum(['system', 'project']),
    duration: z.number().int(),
    editable: z.boolean(),
    disable: z.boolean(),
    expires_at: z.number().int(),
    permissions: z.array(Permission),
    creator_type: z.string(),
    creator_ref: z.number().int(),
    creation_time: z.string(),
    update_time: z.string(),
  })
  .openapi('Robot')

export const RobotCreated = z
  .object({ id: z.number().int(), name: z.string(), secret: z.string(), creation_time: z.string(), expires_at: z.number().int() })
  .openapi('RobotCreated')
export const RobotSecret = z.object({ secret: z.string().optional() }).openapi('RobotSec')

/** Seconds since the epoch; -1: never. */
export const expirySeconds = (row: Row) => (row.expiresAt === null ? -1 : Math.floor(row.expiresAt / 1000))

/** When a robot ends that is good for so many days from `from` on, in milliseconds; undefined: never. */
export const expiryAfter = (from: number, days: number) => (days === -1 ? undefined : Math.min(from + days * DAY_MS, LAST_MS))

export async function showRobot(services: Pick<OriginServices, 'projectFacts' | 'clock'>, row: Row): Promise<z.infer<typeof Robot>> {
  return {
    id: row.id,
    name: robotName(row),
    description: row.description,
    level: row.level,
    duration: row.duration,
    editable: true,
    disable: row.disabled,
    expires_at: expirySeconds(row),
    permissions: await showPermissions(services, row.permissions),
    creator_type: row.creator.startsWith('robot:') ? 'robot' : 'local',
    creator_ref: numberOf(row.creator) || 0,
    creation_time: instant(row.createdAt),
    update_time: instant(row.updatedAt),
  }
}

export interface RobotToMake {
  readonly robot: {
    readonly name: string
    readonly description: string
    readonly disable: boolean
    readonly duration: number
    /** undefined: never. */
    readonly expiresAt: number | undefined
    /** Empty or absent: a random one. */
    readonly secret?: string | null | undefined
  }
  /** undefined: a robot of the system. */
  readonly project: ProjectFacts | undefined
  readonly permissions: readonly RobotPermission[]
}

/** A new robot, with the secret that is shown this once. */
export async function makeRobot(
  { db, robotSecrets }: Pick<OriginServices, 'db' | 'robotSecrets'>,
  { robot, project, permissions }: RobotToMake,
  actor: string,
): Promise<{ readonly row: Row; readonly secret: string }> {
  const { name, description, disable: disabled, duration, expiresAt } = robot
  const chosen = robot.secret ?? ''
  const { secret, hash: secretHash } = chosen === '' ? await robotSecrets.create() : { secret: chosen, hash: await robotSecrets.hash(chosen) }
  const row = await createRobot(
    db,
    { name, description, projectId: project?.id, secretHash, duration, expiresAt, disabled, permissions: [...permissions], creator: actor },
    actor,
  )
  return { row, secret }
}

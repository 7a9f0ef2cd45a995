// What decisions are made from. The same shapes come from the origin's database and, signed, to an edge.

/** `user:3`, `robot:12`, `edge:<id>`, `anonymous`. Never a name: a name can be given again, an id cannot. */
export type SubjectId = string

export type PrincipalKind = 'anonymous' | 'user' | 'robot' | 'edge'

/** Who asks. */
export interface Principal {
  readonly id: SubjectId
  readonly kind: PrincipalKind
  /** As people know it: `admin`, `robot$team+ci`. */
  readonly name: string
  readonly enabled: boolean
  /** A system administrator. */
  readonly admin: boolean
  /** Ids of the groups that this user is in. */
  readonly groups: readonly number[]
  /** Milliseconds since the epoch; undefined: never. Robots have one. */
  readonly expiresAt?: number
  /** What a robot may do; empty for everybody else, whose rights are roles. */
  readonly permissions: readonly RobotPermission[]
}

/** What somebody wants to do. */
export interface Target {
  /** Harbor's name of a resource: `repository`, `artifact`, `tag`, `member`, `robot`, `project`, … */
  readonly resource: string
  /** `pull`, `push`, `read`, `list`, `create`, `update`, `delete`, … */
  readonly action: string
}

/** One grant of a robot: in this project (undefined: all of them; system: the system itself), do this to that. */
export interface RobotPermission {
  readonly scope: { readonly projectId: number } | { readonly allProjects: true } | { readonly system: true }
  readonly resource: string
  readonly action: string
}

/** Harbor's role ids. */
export const ROLES = { projectAdmin: 1, developer: 2, guest: 3, maintainer: 4, limitedGuest: 5 } as const
export type RoleId = (typeof ROLES)[keyof typeof ROLES]

export interface Member {
  /** `user:3` or `group:4`. */
  readonly subject: string
  readonly role: RoleId
}

/** What decisions need of a project. */
export interface ProjectFacts {
  readonly id: number
  readonly name: string
  readonly public: boolean
  readonly members: readonly Member[]
  /** A proxy cache: nothing can be pushed to it. */
  readonly proxy: boolean
  /** The grace of these facts is over: an edge has not heard from its origin for so long that they are good for what is public only. */
  readonly lapsed?: true
}

export const ANONYMOUS: Principal = {
  id: 'anonymous',
  kind: 'anonymous',
  name: 'anonymous',
  enabled: true,
  admin: false,
  groups: [],
  permissions: [],
}

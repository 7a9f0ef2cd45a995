import type { Principal } from '../policy/facts.ts'
import type { Database } from './database.ts'
import { groupsOfUser } from './groups.ts'
import { findRobotById, type Robot } from './robots.ts'
import { findUserById, isAdministrator, type User } from './users.ts'

/** The current facts of `user:3` or `robot:12`; undefined: there is none. */
export async function principalFacts(db: Database, id: string): Promise<Principal | undefined> {
  const [, kind, number] = /^(user|robot):([1-9][0-9]{0,15})$/.exec(id) ?? []
  if (kind === 'user') {
    const user = await findUserById(db, Number(number))
    return user && principalOfUser(user, await groupsOfUser(db, user.id))
  }
  if (kind === 'robot') {
    const robot = await findRobotById(db, Number(number))
    return robot && principalOfRobot(robot)
  }
  return undefined
}

export function principalOfUser(user: User, groups: readonly number[]): Principal {
  return {
    id: `user:${user.id}`,
    kind: 'user',
    name: user.username,
    enabled: !user.disabled,
    admin: isAdministrator(user),
    groups,
    permissions: [],
  }
}

export function principalOfRobot(robot: Robot): Principal {
  return {
    id: `robot:${robot.id}`,
    kind: 'robot',
    name: `robot$${robot.projectName === null ? '' : `${robot.projectName}+`}${robot.name}`,
    enabled: !robot.disabled,
    admin: false,
    groups: [],
    permissions: robot.permissions,
    ...(robot.expiresAt !== null && { expiresAt: robot.expiresAt }),
  }
}

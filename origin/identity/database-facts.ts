import type { Principal, SubjectId } from '../../policy/facts.ts'
import type { Database } from '../../schema/database.ts'
import { type Edge, findEdgeById } from '../../schema/edges.ts'
import { groupsOfUser } from '../../schema/groups.ts'
import { principalOfRobot, principalOfUser } from '../../schema/principals.ts'
import { projectFacts } from '../../schema/projects.ts'
import { findRobotById, findRobotByName, type Robot } from '../../schema/robots.ts'
import { findUserById, findUserByUsername, type User } from '../../schema/users.ts'
import type { Account, EdgeAccount, FactSource } from './accounts.ts'
import { parseRobotName } from './robot-names.ts'

/** Facts as the database has them now. */
export function databaseFacts(db: Database): FactSource {
  return {
    project: (key) => projectFacts(db, key),
    async account(subject) {
      const { kind, id } = parseSubject(subject)
      if (kind === 'user') return await userAccount(db, await findUserById(db, id))
      if (kind === 'robot') return robotAccount(await findRobotById(db, id))
      return undefined
    },
    async accountNamed(login) {
      const robot = parseRobotName(login)
      if (robot !== undefined) return robotAccount(await findRobotByName(db, robot.name, robot.project))
      return await userAccount(db, await findUserByUsername(db, login))
    },
    async edge(id) {
      const edge = await findEdgeById(db, id)
      return edge && edgeAccount(edge)
    },
  }
}

function parseSubject(subject: SubjectId): { readonly kind: string; readonly id: number } {
  const [, kind = '', id = '0'] = /^(user|robot):([1-9]\d{0,15})$/.exec(subject) ?? []
  return { kind, id: Number(id) }
}

async function userAccount(db: Database, user: User | undefined): Promise<Account | undefined> {
  if (user === undefined) return undefined
  const principal = principalOfUser(user, await groupsOfUser(db, user.id))
  return { principal, credentialVersion: user.credentialVersion, secretHash: user.passwordHash ?? undefined }
}

function robotAccount(robot: Robot | undefined): Account | undefined {
  if (robot === undefined) return undefined
  return { principal: principalOfRobot(robot), credentialVersion: robot.credentialVersion, secretHash: robot.secretHash }
}

function edgeAccount({ id, name, region, publicJwk, status }: Edge): EdgeAccount {
  const revoked = status !== 'active'
  const principal: Principal = { id: `edge:${id}`, kind: 'edge', name, enabled: !revoked, admin: false, groups: [], permissions: [] }
  return { principal, id, name, region, publicKey: publicJwk, revoked }
}

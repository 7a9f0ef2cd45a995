import type { Log } from '../../../registry/log.ts'
import { RegistryError } from '../../../registry/spec/errors.ts'
import type { Database } from '../../../schema/database.ts'
import { ensureGroup, LDAP_GROUP, normalDn, setGroupsOfUser } from '../../../schema/groups.ts'
import { oidcLinkOf } from '../../../schema/oidc-links.ts'
import { findUserByUsername, onboardUser, setAdminByGroup, type User } from '../../../schema/users.ts'
import type { LiveSettings } from '../../config/live.ts'
import type { LiveValues } from '../../config/live-settings.ts'
import { isOurs } from '../user-names.ts'
import type { Directory, DirectoryGroup, DirectoryPerson, DirectorySettings } from './directory.ts'

const ACTOR = 'system'

/** People of a directory, as accounts here: made at their first login, with the groups that they are in now. */
export class DirectoryPeople {
  readonly #db: Database
  readonly #live: LiveSettings
  readonly #log: Log

  constructor(db: Database, live: LiveSettings, log: Log) {
    this.#db = db
    this.#live = live
    this.#log = log
  }

  /** The name under which this person has an account here; undefined: LDAP is off, or name or password is wrong. @throws DirectoryError */
  async login(name: string, password: string): Promise<string | undefined> {
    const settings = await this.#live.all()
    if (settings.auth_mode !== 'ldap_auth') return undefined
    try {
      return await this.#login(settings, name, password)
    } catch (error) {
      if (!(error instanceof RegistryError)) throw error
      this.#log.warn({ err: error }, error.message)
      // Whoever tries to log in may be anybody, and need not know where it is.
      throw new RegistryError(
        'UNAVAILABLE',
        'The directory cannot be asked now, so this login cannot be checked. Try again in a moment.',
        undefined,
        {
          status: 503,
          cause: error,
        },
      )
    }
  }

  async #login(settings: LiveValues, name: string, password: string): Promise<string | undefined> {
    const person = await this.#recognized(settings, name, password)
    if (person === undefined) return undefined
    // Only now: how many groups somebody is in would tell that he is there, and the conversation before has become his own.
    await using directory = await openDirectory(settings)
    return await this.#keep(person, await directory.groupsOf(person), settings.ldap_group_admin_dn)
  }

  /** Who is not there costs what who has another password costs: a search and a bind. */
  async #recognized(settings: DirectorySettings, name: string, password: string): Promise<DirectoryPerson | undefined> {
    await using directory = await openDirectory(settings)
    const person = await directory.person(name)
    const right = await directory.verify(person?.dn ?? `cn=nobody,${settings.ldap_base_dn ?? ''}`, password).catch((error: unknown) => {
      if (person === undefined) return false
      throw error
    })
    return right ? person : undefined
  }

  /**
   * Whether somebody who has an account here is still there; his groups are those that he is in now. Whoever a directory that does not answer
   * may know is still known, and so is everybody where there is none.
   */
  async stillKnown(name: string): Promise<boolean> {
    const settings = await this.#live.all()
    if (settings.auth_mode !== 'ldap_auth') return true
    try {
      await using directory = await openDirectory(settings)
      const person = await directory.person(name)
      if (person === undefined) return false
      await this.#keep(person, await directory.groupsOf(person), settings.ldap_group_admin_dn)
      return true
    } catch (error) {
      this.#log.warn({ err: error, name }, 'Whether the directory still knows somebody cannot be said now.')
      return true
    }
  }

  /** A group of the directory, by its DN; undefined: it has no such group. Where there is no directory nobody can say, and it is taken as given. @throws DirectoryError */
  async group(dn: string, name = dn): Promise<DirectoryGroup | undefined> {
    const settings = await this.#live.all()
    if (settings.auth_mode !== 'ldap_auth') return { dn, name }
    await using directory = await openDirectory(settings)
    return (await directory.groups({ dn }))[0]
  }

  /** Makes accounts of people before they log in; those that are not there are given back. @throws DirectoryError */
  async import(names: readonly string[]): Promise<string[]> {
    const settings = await this.#live.all()
    await using directory = await openDirectory(settings)
    const missing: string[] = []
    for (const name of names) {
      const person = await directory.person(name)
      if (person === undefined) missing.push(name)
      else await this.#keep(person, await directory.groupsOf(person), settings.ldap_group_admin_dn)
    }
    return missing
  }

  /** Several first logins of one person may come at once. */
  async #onboard({ username, email, realname }: DirectoryPerson): Promise<User> {
    try {
      return await onboardUser(this.#db, { username, email, realname })
    } catch (error) {
      const meanwhile = await findUserByUsername(this.#db, username)
      if (meanwhile === undefined || meanwhile.passwordHash !== null) throw error
      return meanwhile
    }
  }

  async #keep(person: DirectoryPerson, groups: readonly DirectoryGroup[], adminDn: string | undefined): Promise<string | undefined> {
    const db = this.#db
    const known = await findUserByUsername(db, person.username)
    if (isOurs(person.username)) return undefined
    // An account with a password of its own is another person's, and so is one of an OpenID provider.
    if (known !== undefined && (known.passwordHash != null || (await oidcLinkOf(db, known.id)) !== undefined)) return undefined
    const user = known ?? (await this.#onboard(person))
    const ids: number[] = []
    for (const { dn, name } of groups) ids.push((await ensureGroup(db, { name, type: LDAP_GROUP, ldapDn: dn })).id)
    await setGroupsOfUser(db, user.id, ids, ACTOR)
    const admin = adminDn !== undefined && groups.some((group) => normalDn(group.dn) === normalDn(adminDn))
    if (admin !== user.adminByGroup) await setAdminByGroup(db, user.id, admin, ACTOR)
    return user.username
  }
}

/** Where there is no directory, the library for one is never loaded. @throws DirectoryError */
async function openDirectory(settings: DirectorySettings): Promise<Directory> {
  const { Directory } = await import('./directory.ts')
  return await Directory.open(settings)
}

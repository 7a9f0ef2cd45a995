import { isIP } from 'node:net'
import { AndFilter, Client, EqualityFilter, type Filter, InvalidCredentialsError, OrFilter, SubstringFilter } from 'ldapts'
import { RegistryError } from '../../../registry/spec/errors.ts'
import { optionalLdapUrl } from '../../../runtime/settings/kinds.ts'
import { normalDn } from '../../../schema/groups.ts'
import type { LiveValues } from '../../config/live-settings.ts'
import { readFilter } from './filters.ts'

/** How to talk to a directory, from the settings of that name. */
export type DirectorySettings = Pick<
  LiveValues,
  | 'ldap_url'
  | 'ldap_start_tls'
  | 'ldap_verify_cert'
  | 'ldap_timeout'
  | 'ldap_search_dn'
  | 'ldap_search_password'
  | 'ldap_base_dn'
  | 'ldap_uid'
  | 'ldap_filter'
  | 'ldap_scope'
  | 'ldap_group_base_dn'
  | 'ldap_group_search_filter'
  | 'ldap_group_attribute_name'
  | 'ldap_group_search_scope'
  | 'ldap_group_membership_attribute'
>

export interface DirectoryPerson {
  readonly dn: string
  readonly username: string
  /** All that the directory calls him by the attribute of names, the user name first. */
  readonly names: readonly string[]
  readonly realname: string
  readonly email: string | undefined
}

export interface DirectoryGroup {
  readonly dn: string
  readonly name: string
}

/** The directory cannot be asked; the message says what to do. */
export class DirectoryError extends RegistryError {
  constructor(message: string, cause?: unknown, status = 503) {
    super('UNAVAILABLE', message, undefined, { status, cause })
  }
}

const SCOPES = ['base', 'one', 'sub'] as const
/** People and groups in one answer of a search. */
const FOUND_LIMIT = 100
/** Groups of one person, with those that his groups are in, and how deep they are followed. */
const GROUPS_LIMIT = 1_000
const NESTING_LIMIT = 16
const MAIL = ['mail', 'email'] as const

/** One conversation with a directory (RFC 4511). Open, ask, close. */
export class Directory implements AsyncDisposable {
  readonly #client: Client
  readonly #settings: DirectorySettings

  private constructor(client: Client, settings: DirectorySettings) {
    this.#client = client
    this.#settings = settings
  }

  /** Connects, and binds as whoever searches. @throws DirectoryError */
  static async open(settings: DirectorySettings): Promise<Directory> {
    const { ldap_start_tls, ldap_verify_cert, ldap_timeout, ldap_search_dn, ldap_search_password } = settings
    const url = optionalLdapUrl.read(settings.ldap_url)
    if (url === undefined) throw new DirectoryError('There is no LDAP server: set ldap_url to ldap://… or ldaps://….', undefined, 412)
    const timeout = ldap_timeout * 1_000
    const { hostname } = new URL(url)
    const tlsOptions = { rejectUnauthorized: ldap_verify_cert, ...(isIP(hostname) === 0 && { servername: hostname }) }
    const secure = /^ldaps:/i.test(url)
    const client = new Client({ url, timeout, connectTimeout: timeout, ...(secure && { tlsOptions }) })
    try {
      if (ldap_start_tls && !secure) await client.startTLS(tlsOptions)
      if (ldap_search_dn !== undefined) await client.bind(ldap_search_dn, ldap_search_password ?? '')
      return new Directory(client, settings)
    } catch (error) {
      await client.unbind().catch(() => undefined)
      if (error instanceof InvalidCredentialsError) throw new DirectoryError('The LDAP server refuses ldap_search_dn with its password.', error)
      throw new DirectoryError(`The LDAP server at ${url} cannot be asked: ${reason(error)}`, error)
    }
  }

  /** Whether it answers at all: it is asked what it is (RFC 4512, 5.1), which needs no right and no base. @throws DirectoryError */
  async greet(): Promise<void> {
    await this.#search('', 0, readFilter('(objectClass=*)'), ['supportedLDAPVersion'], 1)
  }

  /**
   * The one person of this name, as it is written there but for its case: a directory passes over spaces and more (RFC 4518), and under each such
   * spelling guesses would be counted anew. @throws DirectoryError
   */
  async person(username: string): Promise<DirectoryPerson | undefined> {
    const { ldap_uid } = this.#settings
    const found = await this.#people(new EqualityFilter({ attribute: ldap_uid, value: username }), 2)
    const [person] = found
    // Two of one name are nobody: a guess would let one in as the other.
    if (person === undefined || found.length > 1) return undefined
    return person.names.some((name) => name.toLowerCase() === username.toLowerCase()) ? person : undefined
  }

  /** Those whose name has this in it; everybody, for an empty one. At most FOUND_LIMIT. @throws DirectoryError */
  async people(part: string): Promise<DirectoryPerson[]> {
    return await this.#people(part === '' ? undefined : new SubstringFilter({ attribute: this.#settings.ldap_uid, any: [part] }), FOUND_LIMIT)
  }

  /** Whether this is the person's password. @throws DirectoryError */
  async verify(dn: string, password: string): Promise<boolean> {
    // A bind without a password succeeds for anybody: it is anonymous (RFC 4513, 5.1.2).
    if (password === '') return false
    try {
      await this.#client.bind(dn, password)
      return true
    } catch (error) {
      if (error instanceof InvalidCredentialsError) return false
      throw new DirectoryError(`The LDAP server did not check a password: ${reason(error)}`, error)
    }
  }

  /** The groups that a person is in, and those that these are in. In another conversation than `verify`, which makes it the person's. @throws DirectoryError */
  async groupsOf({ dn, username }: DirectoryPerson): Promise<DirectoryGroup[]> {
    const { ldap_group_base_dn: base, ldap_group_membership_attribute: membership } = this.#settings
    if (base === undefined) return []
    const found = new Map<string, DirectoryGroup>()
    let next = [...(await this.#groups(byMembers([dn], username))), ...(await this.#groupsNamed(await this.#attribute(dn, membership)))]
    for (let depth = 0; next.length > 0 && depth < NESTING_LIMIT && found.size < GROUPS_LIMIT; depth++) {
      const fresh = next.filter((group) => !found.has(normalDn(group.dn)))
      for (const group of fresh) found.set(normalDn(group.dn), group)
      next = fresh.length === 0 ? [] : await this.#groups(byMembers(fresh.map((group) => group.dn)))
    }
    return [...found.values()].slice(0, GROUPS_LIMIT)
  }

  /** Those whose name has this in it, or the one of this DN. @throws DirectoryError */
  async groups({ name, dn }: { readonly name?: string | undefined; readonly dn?: string | undefined }): Promise<DirectoryGroup[]> {
    if (dn !== undefined && dn !== '') return await this.#groupsNamed([dn])
    const { ldap_group_attribute_name: attribute } = this.#settings
    return await this.#groups(name === undefined || name === '' ? undefined : new SubstringFilter({ attribute, any: [name] }), FOUND_LIMIT)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#client.unbind().catch(() => undefined)
  }

  async #people(named: Filter | undefined, limit: number): Promise<DirectoryPerson[]> {
    const { ldap_base_dn: base, ldap_filter, ldap_scope, ldap_uid: uid } = this.#settings
    if (base === undefined) throw new DirectoryError('Nobody says where people are: set ldap_base_dn.', undefined, 412)
    const filter = both(named, ldap_filter ?? '(objectClass=*)', 'ldap_filter')
    const entries = await this.#search(base, ldap_scope, filter, [uid, 'cn', ...MAIL], limit, () => {
      // Nobody would be known there any more, and all would be logged out for a mistake.
      throw new DirectoryError(`The LDAP server has nothing at ldap_base_dn, ${base}.`)
    })
    return entries.flatMap((entry) => {
      const names = all(entry, uid)
      const [username] = names
      if (username === undefined) return []
      const email = MAIL.map((name) => first(entry, name)).find((value) => value !== undefined)
      return [{ dn: entry.dn, username, names, realname: first(entry, 'cn') ?? username, email }]
    })
  }

  async #groups(named: Filter | undefined, limit = GROUPS_LIMIT): Promise<DirectoryGroup[]> {
    const { ldap_group_base_dn: base, ldap_group_search_filter, ldap_group_search_scope, ldap_group_attribute_name: attribute } = this.#settings
    if (base === undefined) return []
    const filter = both(named, ldap_group_search_filter ?? '(objectClass=*)', 'ldap_group_search_filter')
    const entries = await this.#search(base, ldap_group_search_scope, filter, [attribute], limit)
    return entries.map((entry) => ({ dn: entry.dn, name: first(entry, attribute) ?? entry.dn }))
  }

  /** Those entries that are groups by the settings. */
  async #groupsNamed(dns: readonly string[]): Promise<DirectoryGroup[]> {
    const { ldap_group_base_dn: base = '', ldap_group_search_filter, ldap_group_attribute_name: attribute } = this.#settings
    const groups: DirectoryGroup[] = []
    for (const dn of dns.slice(0, GROUPS_LIMIT)) {
      if (!normalDn(dn).endsWith(normalDn(base))) continue
      const filter = both(undefined, ldap_group_search_filter ?? '(objectClass=*)', 'ldap_group_search_filter')
      const [entry] = await this.#search(dn, 0, filter, [attribute], 1)
      if (entry !== undefined) groups.push({ dn: entry.dn, name: first(entry, attribute) ?? entry.dn })
    }
    return groups
  }

  async #attribute(dn: string, attribute: string): Promise<string[]> {
    const [entry] = await this.#search(dn, 0, readFilter('(objectClass=*)'), [attribute], 1)
    return entry === undefined ? [] : all(entry, attribute)
  }

  async #search(
    base: string,
    scope: number,
    filter: Filter,
    attributes: string[],
    sizeLimit: number,
    onNoBase: () => Entry[] = () => [],
  ): Promise<Entry[]> {
    const { ldap_timeout: timeLimit } = this.#settings
    try {
      const { searchEntries } = await this.#client.search(base, { scope: SCOPES[scope] ?? 'sub', filter, attributes, sizeLimit, timeLimit })
      return searchEntries
    } catch (error) {
      const name = error instanceof Error ? error.name : ''
      // A search that found too much still found.
      if (name === 'NoSuchObjectError' || name === 'InvalidDNSyntaxError') return onNoBase()
      if (name === 'SizeLimitExceededError') return []
      throw new DirectoryError(`The LDAP server did not answer a search: ${reason(error)}`, error)
    }
  }
}

type Entry = { readonly dn: string; readonly [attribute: string]: unknown }

function all(entry: Entry, attribute: string): string[] {
  const key = Object.keys(entry).find((name) => name.toLowerCase() === attribute.toLowerCase())
  const value = key === undefined ? undefined : entry[key]
  return [value]
    .flat()
    .flatMap((each) => (each === undefined ? [] : [String(each)]))
    .filter((each) => each !== '')
}

function first(entry: Entry, attribute: string): string | undefined {
  return all(entry, attribute)[0]
}

/** Whoever is named there as a member (RFC 4519) or by his name alone (RFC 2307). */
function byMembers(dns: readonly string[], username?: string): Filter {
  const filters: Filter[] = dns.flatMap((dn) => ['member', 'uniqueMember'].map((attribute) => new EqualityFilter({ attribute, value: dn })))
  if (username !== undefined) filters.push(new EqualityFilter({ attribute: 'memberUid', value: username }))
  return new OrFilter({ filters })
}

function both(named: Filter | undefined, text: string, setting: string): Filter {
  let configured: Filter
  try {
    configured = readFilter(text)
  } catch (error) {
    throw new DirectoryError(`${setting} is no LDAP filter: ${reason(error)}`, error)
  }
  return named === undefined ? configured : new AndFilter({ filters: [configured, named] })
}

function reason(error: unknown): string {
  return error instanceof Error ? error.message || error.name : String(error)
}

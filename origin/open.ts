import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { principalGate } from '../mesh/gate.ts'
import { numberOf } from '../policy/subjects.ts'
import { restrict } from '../registry/access.ts'
import type { BlobStore } from '../registry/blob-store.ts'
import type { Clock } from '../registry/clock.ts'
import { ManifestCache } from '../registry/local/manifest-cache.ts'
import { LocalRegistry } from '../registry/local.ts'
import type { Log } from '../registry/log.ts'
import { createPasswords, type ScryptParameters } from '../runtime/credentials/passwords.ts'
import { Throttle } from '../runtime/credentials/throttle.ts'
import { createFetch } from '../runtime/fetch.ts'
import { observedFetch } from '../runtime/observe/fetch.ts'
import { RequestIdentity } from '../runtime/observe/request-id.ts'
import { tellStep } from '../runtime/observe/steps.ts'
import { Places } from '../runtime/places.ts'
import { ReachableNetworks } from '../runtime/public-networks.ts'
import { proxyFor } from '../runtime/settings/proxy.ts'
import { headOfChanges, readChanges } from '../schema/changes.ts'
import { openDatabase } from '../schema/database.ts'
import { metadataStore } from '../schema/metadata-store.ts'
import { firstAdministrator, replacePasswordHash } from '../schema/users.ts'
import { createHasher } from '../stores/hasher.ts'
import { RecentChanges } from './changes.ts'
import { LiveSettings } from './config/live.ts'
import type { OriginConfig } from './config/settings.ts'
import { firstStart } from './first-start.ts'
import { HealthCheck } from './health.ts'
import { Addresses } from './identity/addresses.ts'
import { Authorities } from './identity/authorities.ts'
import { baseUrlOf, configuredUrl } from './identity/base-url.ts'
import { Callers } from './identity/callers.ts'
import { databaseFacts } from './identity/database-facts.ts'
import { Facts } from './identity/facts.ts'
import { FailedLoginLedger } from './identity/failed-logins.ts'
import { SharedGuesses } from './identity/guesses.ts'
import { Issuer } from './identity/issuer.ts'
import { tendKeys } from './identity/key-care.ts'
import { KeyRing, makeKey } from './identity/key-ring.ts'
import { databaseKeys } from './identity/key-store.ts'
import { DirectoryPeople } from './identity/ldap/people.ts'
import { Logins } from './identity/logins.ts'
import { Nonces } from './identity/nonces.ts'
import { OidcPeople } from './identity/oidc/people.ts'
import { createRobotSecrets, robotKey } from './identity/robot-secrets.ts'
import { Sessions } from './identity/sessions/sessions.ts'
import { keepClean } from './maintenance/keep-clean.ts'
import { keepNames } from './maintenance/keep-names.ts'
import { Sweeper } from './maintenance/sweep.ts'
import { type Mesh, openMesh } from './mesh/open.ts'
import { Nearest } from './nearest/nearest.ts'
import { type FetchFor, ProxyCaches } from './proxy-caches.ts'
import { PullLedger } from './pull-ledger.ts'
import { createSecrets, loadSecretKey } from './secrets.ts'
import type { OriginServices } from './services.ts'
import { type DrillMeans, Sites } from './sites/open.ts'
import { peerRobotKeys } from './sites/robot-keys.ts'
import { Standing } from './sites/standing.ts'
import { openStores } from './stores.ts'

/** The audience of our tokens, and what challenges call us. */
const SERVICE = 'atoll'
/** The `iss` of our tokens as long as nobody has said what our URL is. */
const ISSUER = 'atoll'
/** Memory for the manifests asked for last, in bytes: some thousand images. */
const MANIFEST_MEMORY = 16 * 1024 * 1024

export interface OriginOptions {
  readonly config: OriginConfig
  /** The settings that file or environment gave: these stay as they are. */
  readonly fixed?: ReadonlySet<string>
  readonly log: Log
  readonly clock: Clock
  /** Whether another process of this site talks to the other one of its pair. */
  readonly watching?: boolean
  /** Starts an origin of its own for a drill. */
  readonly startDrillProcess?: DrillMeans['startProcess'] | undefined
  /** What passwords are hashed with; today's parameters when absent. */
  readonly scrypt?: ScryptParameters
}

/** Everything an origin is made of, opened. */
export interface OpenOrigin {
  readonly services: OriginServices
  readonly facts: Facts
  readonly recent: RecentChanges
  readonly keys: KeyRing
  readonly issuer: Issuer
  readonly logins: Logins
  readonly callers: Callers
  readonly authorities: Authorities
  readonly addresses: Addresses
  readonly local: LocalRegistry
  /** Where the bytes of `local` are. */
  readonly blobs: BlobStore
  readonly proxies: ProxyCaches
  /** For asking an endpoint. */
  readonly fetchFor: FetchFor
  readonly mesh: Mesh
  /** The names of the requests that are being answered. */
  readonly identity: RequestIdentity
  /** undefined: no setting says where clients are. */
  readonly nearest: Nearest | undefined
  readonly pulls: PullLedger
  /** This origin as one of two sites. */
  readonly sites: Sites
  /** The administrator's password, if this start made it. */
  readonly madePassword: string | undefined
  close(): Promise<void>
}

export async function openOrigin({
  config,
  fixed = new Set(),
  log,
  clock,
  watching = false,
  startDrillProcess,
  scrypt,
}: OriginOptions): Promise<OpenOrigin> {
  const secretKey = await loadSecretKey(config.secret_key, config.data_volume)
  const secrets = createSecrets(secretKey)
  const passwords = createPasswords(scrypt)
  const stores = openStores(config)
  const db = await openDatabase({
    url: config['database.url'] ?? pathToFileURL(join(config.data_volume, 'atoll.db')).href,
    authToken: config['database.auth_token'],
    clock,
    log,
  })
  const standing = await Standing.open({ db, secrets, clock, log, newId: randomUUID, watching })
  // Where everything comes from another site, nothing is made here.
  const own = standing.role === 'alone' || standing.role === 'primary'
  const robotSecrets = createRobotSecrets(secretKey, () => peerRobotKeys(standing, secrets))
  const madePassword = own ? await firstStart(db, passwords, config.admin_password) : undefined
  const recent = await RecentChanges.open(db, clock)
  const live = new LiveSettings({ db, recent, secrets, log, started: config, fixed })
  const keys = await KeyRing.open({ store: databaseKeys(db), secrets, now: () => clock.now(), mayMake: own })
  recent.on((changes) => {
    if (changes === undefined || changes.some(({ kind }) => kind.startsWith('key.'))) {
      keys.reload().catch((error: unknown) => log.error({ err: error }, 'The signing keys could not be read again.'))
    }
  })

  const writes = () => standing.writing() === undefined
  const tending = tendKeys({ keys, may: writes, lifetime: config['token.key_lifetime'] * 1000, clock, log })

  const newId = randomUUID
  const source = databaseFacts(db)
  const facts = new Facts(source, recent)
  const authorities = new Authorities(facts, clock)
  const addresses = new Addresses()
  const ownIssuer = configuredUrl(config) ?? ISSUER
  const issuer = new Issuer({
    keys,
    clock,
    newId,
    issuer: () => standing.pair?.issuer ?? ownIssuer,
    service: SERVICE,
    lifetime: config['token.lifetime'],
  })
  const people = new DirectoryPeople(db, live, log)
  const oidc = new OidcPeople(db, live, secrets, log)
  const sessions = new Sessions({ db, facts, live, key: secretKey.derive('csrf'), stillKnown: (name) => people.stillKnown(name) })
  const failedLogins = new FailedLoginLedger({ db, may: writes, clock, log })
  const logins = new Logins({
    directory: async (name, password) => (await oidc.login(name, password)) ?? (await people.login(name, password)),
    mode: () => live.get('auth_mode'),
    linked: (principalId) => oidc.knows(principalId),
    stillRight: (name, secret) => oidc.stillRight(name, secret),
    facts,
    passwords,
    robotSecrets,
    throttle: new Throttle(clock),
    guesses: new SharedGuesses({ db, key: secretKey.derive('guesses'), log }),
    clock,
    onWrong: (account, address) => failedLogins.note(account, address),
    rehash: async ({ principal, secretHash }, hash) => {
      if (secretHash !== undefined) await replacePasswordHash(db, numberOf(principal.id), secretHash, hash)
    },
  })
  const callers = new Callers({ facts, logins, issuer, sessions, nonces: new Nonces(), clock, addressOf: (request) => addresses.of(request) })
  const metadata = metadataStore(db, config['garbage.grace'] * 1000)
  const manifests = new ManifestCache({
    metadata,
    changes: { head: () => headOfChanges(db), since: (after, limit) => readChanges(db, after, limit) },
    soon: setImmediate,
    limit: config['cache.enabled'] ? MANIFEST_MEMORY : 1,
  })
  const local = new LocalRegistry({ blobs: stores.blobs, metadata, manifests, clock, createHasher, newId, onStep: tellStep })
  const identity = new RequestIdentity(newId)
  const reachable = new ReachableNetworks(config['outbound.private_networks'])
  const proxy = proxyFor(config, 'core')
  const fetchFor: FetchFor = ({ insecure, caCertificate, projectId }) => {
    const trust = { verifyTls: !insecure, ca: caCertificate ?? undefined, proxy, reachable: projectId === null ? undefined : reachable }
    return observedFetch(createFetch(trust), { identity, log })
  }
  const proxies = new ProxyCaches({
    db,
    facts,
    recent,
    secrets,
    cache: stores.cache,
    createHasher,
    clock,
    log,
    fetchFor,
  })
  const mesh = openMesh({
    db,
    log,
    clock,
    newId,
    secrets,
    fetchFor,
    source,
    facts,
    keys,
    callers,
    logins,
    issuer,
    knowledge: authorities,
    sites: () => standing.sites,
  })
  standing.on(() => {
    if (standing.role === 'standby' || standing.role === 'fenced') mesh.interrupt()
  })
  const places = Places.of({ networks: config['nearest.networks'], header: config['nearest.header'], places: config['nearest.places'] })
  const nearest = places && new Nearest({ places, db, presence: mesh.presence, issuer, facts, addresses, clock, log })
  const pulls = new PullLedger({ db, may: writes, clock, log })
  const sweeper = new Sweeper({
    db,
    local,
    blobs: stores.blobs,
    clock,
    log,
    uploadsExpireMs: config['uploads.expire'] * 1000,
    historyMs: config['history.keep'] * 1000,
  })
  const cleaning = keepClean({ sweeper, may: writes, clock, log })
  const naming = keepNames({ db, may: writes, clock, log })
  const sites = new Sites({
    db,
    standing,
    store: stores.blobs,
    secrets,
    createHasher,
    fetch: createFetch(),
    clock,
    log,
    newId,
    random: Math.random,
    steps: tellStep,
    robotKey: robotKey(secretKey),
    ownIssuer,
    newSigningKey: async () => ({ ...(await makeKey(secrets)), algorithm: 'EdDSA' }),
    drills: { dataVolume: config.data_volume, settings: drillSettings(config), startProcess: startDrillProcess },
    local: local.as('system'),
    pushToken: async (name, from) => {
      const account = await facts.account(`user:${await firstAdministrator(db)}`)
      const access = [
        { type: 'repository', name, actions: ['pull', 'push'] },
        { type: 'repository', name: from, actions: ['pull'] },
      ]
      return (await issuer.issue(account, access)).token
    },
    forget: async () => {
      manifests.restart()
      await recent.restart()
      await keys.reload()
    },
  })
  sites.start()
  const healthCheck = new HealthCheck({ db, blobs: stores.blobs, clock, log, newId })
  const services: OriginServices = {
    config,
    live,
    db,
    log,
    clock,
    newId,
    secrets,
    passwords,
    robotSecrets,
    people,
    oidc,
    sessions,
    authenticate: (request) => callers.authenticate(request),
    decide: (principal, target, project) => authorities.decide(principal, target, project),
    authorize: (principal, target, project) => authorities.authorize(principal, target, project),
    projectFacts: (project) => facts.project(project),
    registry: local.as('system'),
    blobs: stores.blobs,
    registryFor: (principal) => restrict(local.as(principal.id), principalGate(principal, authorities)),
    baseUrl: baseUrlOf(config),
    health: () => healthCheck.health(),
  }
  return {
    services,
    facts,
    recent,
    keys,
    issuer,
    logins,
    callers,
    authorities,
    addresses,
    local,
    blobs: stores.blobs,
    proxies,
    fetchFor,
    mesh,
    identity,
    nearest,
    pulls,
    sites,
    madePassword,
    close: async () => {
      mesh.close()
      await sites.close()
      await pulls.close()
      await failedLogins.close()
      await cleaning.stop()
      await naming.stop()
      tending.stop()
      recent.close()
      await db.close()
    },
  }
}

/** Where bytes and sealed secrets are: the same for a drill. */
function drillSettings(config: OriginConfig): Readonly<Record<string, string>> {
  const shared = Object.entries(config).filter(([key]) => key === 'secret_key' || key.startsWith('storage_service.'))
  return Object.fromEntries(shared.flatMap(([key, value]) => (value === undefined ? [] : [[key, String(value)]])))
}

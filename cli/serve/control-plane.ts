import { readFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { type RunningControlPlane, startControlPlane } from '../../control-plane/start.ts'
import type { OriginConfig } from '../../origin/config/settings.ts'
import { configuredUrl } from '../../origin/identity/base-url.ts'
import type { OpenOrigin } from '../../origin/open.ts'
import { systemClock } from '../../registry/clock.ts'
import { createFetch } from '../../runtime/fetch.ts'
import { tellStep } from '../../runtime/observe/steps.ts'
import { ReachableNetworks } from '../../runtime/public-networks.ts'
import { type ForwardProxy, proxyFor } from '../../runtime/settings/proxy.ts'
import type { SenderOptions } from '../../runtime/syslog/sender.ts'
import { firstAdministrator } from '../../schema/users.ts'
import { createHasher } from '../../stores/hasher.ts'

/** A control plane on what an origin has open: its database, its registry, its sealed secrets. */
export async function controlPlaneOf(origin: OpenOrigin): Promise<RunningControlPlane> {
  const { db, log, secrets, config, newId } = origin.services
  const projectOwner = await firstAdministrator(db)
  // Who names a host and is not the system's administrator reaches what anybody reaches.
  const reachable = new ReachableNetworks(config['outbound.private_networks'])
  const proxy = proxyFor(config, 'jobservice')
  return startControlPlane({
    db,
    local: origin.local,
    blobs: origin.blobs,
    garbageGraceMs: config['garbage.grace'] * 1000,
    unseal: (sealed, purpose) => secrets.unseal(sealed, purpose),
    fetchFor: ({ insecure, caCertificate, projectId }) =>
      createFetch({ verifyTls: !insecure, ca: caCertificate ?? undefined, proxy, reachable: projectId === null ? undefined : reachable }),
    webhookFetch: webhookFetch(reachable, proxy),
    pullToken: (repository) => pullToken(origin, projectOwner, repository),
    webhooksEnabled: () => origin.services.live.get('notification_enable'),
    host: new URL(configuredUrl(config) ?? `http://${config['http.host']}:${config['http.port']}`).host,
    createHasher,
    clock: systemClock,
    log,
    owner: `${hostname()}:${process.pid}:${newId()}`,
    concurrency: config['control_plane.concurrency'],
    projectOwner,
    auditReceiver: await auditReceiver(config),
    onStep: tellStep,
  })
}

/** @throws the system's error when the file with the certificates cannot be read */
async function auditReceiver(config: OriginConfig): Promise<SenderOptions | undefined> {
  const { 'audit.syslog.url': url, 'audit.syslog.ca_file': file } = config
  if (url === undefined) return undefined
  return { url: new URL(url), ...(file !== undefined && { ca: await readFile(file, 'utf8') }) }
}

/** Two pools of connections, whoever asks: what is trusted for one receiver must not be trusted for another. */
function webhookFetch(reachable: ReachableNetworks, proxy: ForwardProxy | undefined) {
  const strict = createFetch({ reachable, proxy })
  const trusting = createFetch({ reachable, proxy, verifyTls: false })
  return ({ verifyTls }: { readonly verifyTls: boolean }) => (verifyTls ? strict : trusting)
}

/** As the first administrator, for one repository, and only to pull. */
async function pullToken({ issuer, facts }: OpenOrigin, administrator: number, repository: string): Promise<string> {
  const account = await facts.account(`user:${administrator}`)
  return (await issuer.issue(account, [{ type: 'repository', name: repository, actions: ['pull'] }])).token
}

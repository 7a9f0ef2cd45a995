import { randomUUID } from 'node:crypto'
import type { Enrolment } from '../mesh/enrolment.ts'
import { systemClock } from '../registry/clock.ts'
import { createFetch } from '../runtime/fetch.ts'
import { SettingsError } from '../runtime/settings/read.ts'
import { enrolIfRevoked, joinOrigin } from './enrolment.ts'
import { startOver } from './feed.ts'
import { OriginClient } from './origin-client.ts'
import type { EdgeConfig } from './settings.ts'
import { openKept } from './stores.ts'
import { VERSION } from './version.ts'

/**
 * Makes this machine's edge a member of its origin, without starting it: the key pair is made here, and stays here.
 * An edge that is a member already stays who it is, unless the origin does not know it any more.
 * @throws SettingsError, EnrolmentRefused, RegistryError UNAVAILABLE
 */
export async function enrolEdge(config: EdgeConfig): Promise<Enrolment> {
  const originUrl = config['edge.origin_url']
  const token = config['edge.enrolment_token']
  if (originUrl === undefined) throw new SettingsError(['edge.origin_url is missing: an edge needs to know where its origin is.'])
  const origin = new OriginClient({ url: new URL(originUrl), fetch: createFetch(), clock: systemClock, newId: randomUUID })
  const url = config['edge.url'] ?? `http://${config['edge.host']}:${config['edge.port']}`
  const kept = openKept(config)
  const options = { kept, origin, url, version: VERSION }
  const { enrolment, found } = await joinOrigin({ ...options, token })
  if (!found || token === undefined) return enrolment
  const anew = await enrolIfRevoked({ ...options, token })
  if (anew !== undefined) await startOver(kept)
  return anew ?? enrolment
}

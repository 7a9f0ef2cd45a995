import { Hono } from 'hono'
import { decodeJwt } from 'jose'
import { z } from 'zod'
import { verifyRequest } from '../../mesh/signing.ts'
import {
  BadSiteMessage,
  SITES,
  type SiteMessage,
  type StandingAnswer,
  type StepDownAnswer,
  signSiteMessage,
  verifySiteMessage,
} from '../../mesh/sites.ts'
import { parseDigest } from '../../registry/spec/digests.ts'
import { RegistryError } from '../../registry/spec/errors.ts'
import { parseRange } from '../../registry/spec/ranges.ts'
import { headOfLog } from '../../schema/mirror/log.ts'
import { SITE_QUESTION_BYTES, STUCK_CHARACTERS } from './limits.ts'
import type { SitesRoom } from './open.ts'
import { admit } from './pairing.ts'
import { openQuarantine } from './quarantine.ts'

const key = z.array(z.union([z.string().max(1024), z.number()])).max(4)
const fillRequest = z.object({ table: z.string().max(64).optional(), after: key.optional(), robotKey: z.string().max(4096).optional() })
const quarantineRequest = z.object({ repository: z.string().max(512) })
const beatRequest = z.object({ beat: z.string().max(256).optional(), stuck: z.string().max(STUCK_CHARACTERS).optional() })
const logRequest = beatRequest.extend({ after: z.number().int().min(0), whole: z.boolean() })

/** What the other site of a pair asks: see mesh/sites.ts. */
export function sitesRoutes(room: SitesRoom, parted: () => Promise<void>): Hono {
  const { standing, source, db, nonces, clock, store, steps } = room
  const answered = async (path: string, nonce: string, body: unknown): Promise<Response> => {
    const { pair, keys, epoch } = standing
    const message: SiteMessage<unknown> = { from: pair?.self.id ?? '', path, nonce, time: clock.now(), epoch, body }
    return new Response(await signSiteMessage(message, keys.signing), {
      headers: { 'Content-Type': 'application/jose', 'Cache-Control': 'no-store' },
    })
  }
  /** The peer's question. One of a later epoch tells this site that it is the primary no more. @throws RegistryError UNAUTHORIZED */
  const asked = async <T>(
    request: Request,
    path: string,
    schema: z.ZodType<T>,
    peer = standing.peer,
  ): Promise<{ readonly nonce: string; readonly epoch: number; readonly body: T }> => {
    if (peer === undefined) throw new RegistryError('UNAUTHORIZED', 'This site is not one of a pair.')
    const message = await proven(
      async () => await verifySiteMessage(await readJws(request), { from: peer.id, path, key: peer.signing, now: clock.now() }),
    )
    if (!nonces.take(peer.id, message.nonce, clock.now())) throw unproven()
    await standing.supersededBy(message.epoch)
    const body = schema.safeParse(message.body)
    if (!body.success)
      throw new RegistryError('UNSUPPORTED', 'The message is not understood: the two sites run different versions.', undefined, { status: 400 })
    return { nonce: message.nonce, epoch: message.epoch, body: body.data }
  }
  const empty = z.object({})
  const standingNow = (): StandingAnswer => ({ role: asRole(standing.role), tookOverAt: standing.pair?.tookOverAt })
  const serving = () => {
    const { role } = standing
    // One that has stepped down still has what its standby lacks.
    if (role !== 'primary' && role !== 'fenced') throw new RegistryError('UNAVAILABLE', 'This site is a standby itself.')
  }
  return new Hono()
    .post(SITES.join, async (c) => {
      const { answer, nonce } = await proven(async () => await admit(room, await readJws(c.req.raw)))
      return await answered(SITES.join, nonce, answer)
    })
    .post(SITES.fill, async (c) => {
      const { nonce, body } = await asked(c.req.raw, SITES.fill, fillRequest)
      serving()
      return await answered(SITES.fill, nonce, await source.fill(body))
    })
    .post(SITES.log, async (c) => {
      const { nonce, body } = await asked(c.req.raw, SITES.log, logRequest)
      serving()
      return await answered(SITES.log, nonce, await source.log(body, c.req.raw.signal))
    })
    .post(SITES.beat, async (c) => {
      const { nonce, body } = await asked(c.req.raw, SITES.beat, beatRequest)
      serving()
      return await answered(SITES.beat, nonce, await source.beat(body))
    })
    .post(SITES.standing, async (c) => {
      const { nonce } = await asked(c.req.raw, SITES.standing, empty)
      return await answered(SITES.standing, nonce, standingNow())
    })
    .post(SITES.quarantine, async (c) => {
      const { nonce, body } = await asked(c.req.raw, SITES.quarantine, quarantineRequest)
      return await answered(SITES.quarantine, nonce, await openQuarantine(room, body))
    })
    .post(SITES.fence, async (c) => {
      const { nonce } = await asked(c.req.raw, SITES.fence, empty)
      return await answered(SITES.fence, nonce, standingNow())
    })
    .post(SITES.part, async (c) => {
      const { nonce } = await asked(c.req.raw, SITES.part, empty, standing.peer ?? standing.pair?.former)
      await parted()
      return await answered(SITES.part, nonce, {})
    })
    .post(SITES.stepDown, async (c) => {
      const { nonce, epoch } = await asked(c.req.raw, SITES.stepDown, empty)
      await standing.change((pair) => (pair.role === 'primary' && epoch === pair.epoch ? { ...pair, role: 'fenced' } : undefined))
      if (standing.role !== 'fenced') throw new RegistryError('UNAVAILABLE', 'This site is not the primary of that epoch.')
      steps('step down: stepped down')
      // What was being written when it stepped down is in the log by now, or was refused.
      return await answered(SITES.stepDown, nonce, { head: await headOfLog(db) } satisfies StepDownAnswer)
    })
    .get(`${SITES.root}blobs/:digest`, async (c) => {
      await provenRequest(room, c.req.raw)
      const digest = parseDigest(c.req.param('digest'))
      const size = (await store.stat(digest))?.size
      if (size === undefined) throw new RegistryError('BLOB_UNKNOWN', `There is no blob ${digest} here.`)
      const range = parseRange(c.req.header('range') ?? null, size)
      const body = await store.open(digest, range)
      if (body?.stream === undefined) throw new RegistryError('BLOB_UNKNOWN', `There is no blob ${digest} here.`)
      steps('source: bytes opened')
      const length = range?.length ?? size
      const headers = { 'Content-Type': 'application/octet-stream', 'Content-Length': String(length), 'X-Blob-Size': String(size) }
      return new Response(body.stream, { status: range === undefined ? 200 : 206, headers })
    })
}

async function provenRequest({ standing, nonces, clock }: SitesRoom, request: Request): Promise<void> {
  const { peer } = standing
  const proof = /^atoll-site ([\w-]+\.[\w-]+\.[\w-]+)$/i.exec(request.headers.get('authorization') ?? '')?.[1]
  if (peer === undefined || proof === undefined || decodeJwt(proof).iss !== peer.id) throw unproven()
  const now = clock.now()
  const nonce = await proven(() => verifyRequest(proof, request, { id: peer.id, publicKey: peer.signing }, now))
  if (!nonces.take(peer.id, nonce, now)) throw unproven()
}

async function proven<T>(verify: () => Promise<T>): Promise<T> {
  try {
    return await verify()
  } catch (cause) {
    if (cause instanceof RegistryError) throw cause
    throw unproven(cause)
  }
}

function unproven(cause?: unknown): RegistryError {
  const message =
    cause instanceof BadSiteMessage ? cause.message : 'This needs the signature of the other site of this pair, made for this request, now.'
  return new RegistryError('UNAUTHORIZED', message, undefined, { cause })
}

async function readJws(request: Request): Promise<string> {
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of request.body ?? []) {
    size += chunk.byteLength
    if (size > SITE_QUESTION_BYTES) throw new RegistryError('SIZE_INVALID', 'A message here is shorter.', undefined, { status: 413 })
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}

function asRole(role: SitesRoom['standing']['role']): StandingAnswer['role'] {
  return role === 'alone' ? 'primary' : role
}

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type CryptoKey, exportJWK, generateKeyPair } from 'jose'
import { type Enrolment, type EnrolmentRequest, MESH } from '../../mesh/enrolment.ts'
import { keyId, signRequest } from '../../mesh/signing.ts'
import { type Clock, systemClock } from '../../registry/clock.ts'
import { createLogger } from '../../runtime/logger.ts'
import { defaults } from '../../runtime/settings/define.ts'
import { originApp } from '../app.ts'
import { type OriginConfig, originSettings } from '../config/settings.ts'
import { type OpenOrigin, openOrigin } from '../open.ts'

export const PASSWORD = 'correct horse battery staple'
const BASE = 'http://origin.test'

export interface TestOrigin {
  readonly origin: OpenOrigin
  readonly clock: Clock & { ahead: number }
  /** Every line that was logged. */
  readonly lines: string[]
  /** `credentials`: `name:secret`, or a whole Authorization value. */
  ask(
    method: string,
    path: string,
    options?: {
      credentials?: string
      json?: unknown
      form?: Record<string, string>
      signal?: AbortSignal
      address?: string
      cookie?: string
      headers?: Record<string, string>
    },
  ): Promise<Response>
  close(): Promise<void>
}

/** A whole origin in this process, without a socket, in a folder of its own. Its clock is the system's, and can be set ahead. */
export async function openTestOrigin(config: Partial<OriginConfig> = {}): Promise<TestOrigin> {
  const folder = await mkdtemp(join(tmpdir(), 'atoll-origin-'))
  const lines: string[] = []
  const clock = {
    ahead: 0,
    now: () => systemClock.now() + clock.ahead,
    after: (ms: number, run: () => void) => systemClock.after(ms, run),
  }
  const log = createLogger({ level: 'trace', destination: { write: (line) => void lines.push(line) } })
  const origin = await openOrigin({
    config: { ...defaults(originSettings), data_volume: folder, admin_password: PASSWORD, ...config },
    fixed: new Set(Object.keys(config)),
    log,
    clock,
    scrypt: { N: 1024, r: 8, p: 1 },
  })
  const app = originApp(origin)
  return {
    origin,
    clock,
    lines,
    async ask(method, path, { credentials, json, form, signal, address = '192.0.2.1', cookie, headers: more = {} } = {}) {
      const headers = new Headers({ ...more, ...(cookie !== undefined && { cookie }) })
      if (credentials !== undefined)
        headers.set('authorization', /^(Bearer|Basic|Digest|Atoll-Edge) /.test(credentials) ? credentials : `Basic ${btoa(credentials)}`)
      const body = json !== undefined ? JSON.stringify(json) : form !== undefined ? new URLSearchParams(form).toString() : undefined
      if (json !== undefined) headers.set('content-type', 'application/json')
      if (form !== undefined) headers.set('content-type', 'application/x-www-form-urlencoded')
      const request = new Request(BASE + path, { method, headers, ...(body !== undefined && { body }), ...(signal && { signal }) })
      return await app(request, { remoteAddress: address })
    },
    async close() {
      await origin.close()
      await rm(folder, { recursive: true, force: true, maxRetries: 5 })
    },
  }
}

/** An edge, as far as the origin sees one. */
export class TestEdge {
  readonly #origin: TestOrigin
  readonly privateKey: CryptoKey
  readonly publicKey: { kty: string; crv: string; x: string }
  readonly kid: string
  id = ''
  #nonce = 0

  private constructor(origin: TestOrigin, privateKey: CryptoKey, publicKey: TestEdge['publicKey'], kid: string) {
    this.#origin = origin
    this.privateKey = privateKey
    this.publicKey = publicKey
    this.kid = kid
  }

  static async make(origin: TestOrigin): Promise<TestEdge> {
    const pair = await generateKeyPair('EdDSA', { crv: 'Ed25519', extractable: true })
    const { kty = '', crv = '', x = '' } = await exportJWK(pair.publicKey)
    return new TestEdge(origin, pair.privateKey, { kty, crv, x }, await keyId({ kty, crv, x }))
  }

  static async enrolled(origin: TestOrigin, name = 'fra-1'): Promise<TestEdge> {
    const edge = await TestEdge.make(origin)
    const response = await edge.enrol(await newToken(origin, name))
    edge.id = ((await response.json()) as Enrolment).id
    return edge
  }

  async enrol(token: string, changes: Partial<EnrolmentRequest> = {}): Promise<Response> {
    const proof = await this.proof('POST', MESH.enrol, this.kid)
    const json = { token, publicKey: this.publicKey, proof, url: 'https://edge.example.com', version: '0.1.0', ...changes }
    return await this.#origin.ask('POST', MESH.enrol, { json })
  }

  async proof(method: string, path: string, id = this.id, now = this.#origin.clock.now(), nonce = `n${this.#nonce++}`): Promise<string> {
    return await signRequest({ method, url: BASE + path }, { id, key: { kid: this.kid, privateKey: this.privateKey } }, now, nonce)
  }

  async ask(method: string, path: string, options: { json?: unknown; signal?: AbortSignal; query?: string } = {}): Promise<Response> {
    const credentials = `Atoll-Edge ${await this.proof(method, path)}`
    return await this.#origin.ask(method, path + (options.query ?? ''), { ...options, credentials })
  }
}

export async function newToken(origin: TestOrigin, name: string): Promise<string> {
  const response = await origin.ask('POST', '/api/atoll/v1/edges', { credentials: `admin:${PASSWORD}`, json: { name, region: 'eu' } })
  return ((await response.json()) as { token: string }).token
}

import { createHmac, randomBytes } from 'node:crypto'
import type { Clock } from '../../../registry/clock.ts'
import { basicOf, type Handler, hex, json, repositoryIn, same } from './world.ts'

const HOURS_12 = 12 * 3600_000

export interface EcrOptions {
  readonly clock: Clock
  readonly region: string
  readonly account: string
  readonly accessKeyId: string
  readonly secretAccessKey: string
  /** Where the registry is: what GetAuthorizationToken says. */
  readonly registryUrl: string
  /** The registry behind the login. */
  readonly forward: Handler
  /** Operations that the key may not do. */
  readonly denied?: readonly string[]
}

/**
 * Amazon ECR by its documentation: an API that checks Signature Version 4 by itself (node:crypto, from Amazon's description of the canonical
 * request), and a registry that takes nothing but its tokens, for twelve hours, and no push to a repository that was not made.
 */
export class EcrServer {
  readonly #options: EcrOptions
  readonly #tokens = new Map<string, number>()
  readonly repositories = new Set<string>()
  readonly calls: string[] = []

  constructor(options: EcrOptions) {
    this.#options = options
  }

  /** All tokens end now, though they were to live longer. */
  revoke(): void {
    this.#tokens.clear()
  }

  readonly api: Handler = async (request) => {
    const body = Buffer.from(await request.arrayBuffer())
    const problem = this.#signatureProblem(request, body)
    if (problem !== undefined) return refusal(problem)
    const operation = (request.headers.get('x-amz-target') ?? '').replace('AmazonEC2ContainerRegistry_V20150921.', '')
    this.calls.push(operation)
    if (this.#options.denied?.includes(operation)) return refusal('AccessDeniedException')
    const input = JSON.parse(body.toString()) as {
      repositoryNames?: string[]
      repositoryName?: string
      maxResults?: number
      nextToken?: string
      imageIds?: { imageTag: string }[]
    }
    switch (operation) {
      case 'GetAuthorizationToken': {
        const token = randomBytes(900).toString('base64url')
        const expires = this.#options.clock.now() + HOURS_12
        this.#tokens.set(token, expires)
        const authorizationToken = Buffer.from(`AWS:${token}`).toString('base64')
        return json({ authorizationData: [{ authorizationToken, expiresAt: expires / 1000, proxyEndpoint: this.#options.registryUrl }] })
      }
      case 'DescribeRepositories': {
        if (input.repositoryNames?.some((name) => !this.repositories.has(name))) return refusal('RepositoryNotFoundException')
        const names = input.repositoryNames ?? [...this.repositories]
        const from = Number(input.nextToken ?? 0)
        const to = from + (input.maxResults ?? 100)
        const page = names.slice(from, to).map((repositoryName) => ({ repositoryName, registryId: this.#options.account }))
        return json({ repositories: page, ...(to < names.length && { nextToken: String(to) }) })
      }
      case 'CreateRepository': {
        const { repositoryName = '' } = input
        if (this.repositories.has(repositoryName)) return refusal('RepositoryAlreadyExistsException')
        this.repositories.add(repositoryName)
        return json({ repository: { repositoryName } })
      }
      case 'BatchDeleteImage': {
        const { repositoryName = '', imageIds = [] } = input
        const [tag = ''] = imageIds.map(({ imageTag }) => imageTag)
        const url = new URL(`/v2/${repositoryName}/manifests/${tag}`, this.#options.registryUrl)
        const answer = await this.#options.forward(new Request(url, { method: 'DELETE' }))
        const failures = answer.ok ? [] : [{ failureCode: 'ImageNotFound', imageId: { imageTag: tag } }]
        return json({ imageIds: answer.ok ? imageIds : [], failures })
      }
      default:
        return refusal('UnknownOperationException')
    }
  }

  readonly registry: Handler = async (request) => {
    const { pathname } = new URL(request.url)
    const login = basicOf(request)
    const expires = login?.name === 'AWS' ? this.#tokens.get(login.secret) : undefined
    if (expires === undefined || expires <= this.#options.clock.now()) {
      const headers = { 'www-authenticate': `Basic realm="${this.#options.registryUrl}/",service="ecr.amazonaws.com"` }
      return json({ errors: [{ code: 'DENIED', message: 'Your authorization token has expired. Reauthenticate and try again.' }] }, 401, headers)
    }
    if (pathname === '/v2/_catalog') return json({ errors: [{ code: 'UNSUPPORTED', message: 'no catalog' }] }, 405)
    if (request.method === 'DELETE' && pathname.includes('/manifests/'))
      return json({ errors: [{ code: 'UNSUPPORTED', message: 'use the API' }] }, 405)
    const repository = repositoryIn(pathname)
    if (repository !== undefined && !this.repositories.has(repository)) {
      return json({ errors: [{ code: 'NAME_UNKNOWN', message: `The repository with name '${repository}' does not exist` }] }, 404)
    }
    return await this.#options.forward(request)
  }

  /** The name of the error that Amazon would answer; undefined: the request is signed as it must be. */
  #signatureProblem(request: Request, body: Uint8Array): string | undefined {
    const { accessKeyId, secretAccessKey, region, clock } = this.#options
    const header = request.headers.get('authorization') ?? ''
    const match =
      /^AWS4-HMAC-SHA256 Credential=([^/]+)\/(\d{8})\/([^/]+)\/ecr\/aws4_request, ?SignedHeaders=([a-z0-9;-]+), ?Signature=([0-9a-f]{64})$/.exec(
        header,
      )
    if (match === null) return 'MissingAuthenticationToken'
    const [, key, date = '', scope, signedNames = '', signature = ''] = match
    if (key !== accessKeyId) return 'UnrecognizedClientException'
    const time = request.headers.get('x-amz-date') ?? ''
    const parts = /^(\d{4})(\d{2})(\d{2})T(\d{2})(\d{2})(\d{2})Z$/.exec(time)
    if (parts === null || !time.startsWith(date) || scope !== region) return 'InvalidSignatureException'
    const [year, month, day, hour, minute, second] = parts.slice(1).map(Number)
    const sentAt = Date.UTC(year ?? 0, (month ?? 1) - 1, day, hour, minute, second)
    if (Math.abs(sentAt - clock.now()) > 5 * 60_000) return 'InvalidSignatureException'
    const names = signedNames.split(';')
    if (!['content-type', 'host', 'x-amz-date', 'x-amz-target'].every((name) => names.includes(name))) return 'InvalidSignatureException'
    const url = new URL(request.url)
    const value = (name: string) => (name === 'host' ? url.host : (request.headers.get(name) ?? '').trim().replace(/ +/g, ' '))
    const canonical = [request.method, url.pathname, '', ...names.map((name) => `${name}:${value(name)}`), '', signedNames, hex(body)].join('\n')
    const credentialScope = `${date}/${region}/ecr/aws4_request`
    const toSign = ['AWS4-HMAC-SHA256', time, credentialScope, hex(canonical)].join('\n')
    const hmac = (secret: string | Uint8Array, text: string) => createHmac('sha256', secret).update(text).digest()
    const signingKey = hmac(hmac(hmac(hmac(`AWS4${secretAccessKey}`, date), region), 'ecr'), 'aws4_request')
    return same(createHmac('sha256', signingKey).update(toSign).digest('hex'), signature) ? undefined : 'InvalidSignatureException'
  }
}

function refusal(type: string): Response {
  return json({ __type: `com.amazonaws.ecr#${type}`, message: 'The Canonical String for this request should have been …' }, 400, {
    'content-type': 'application/x-amz-json-1.1',
  })
}

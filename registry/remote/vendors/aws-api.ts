import { AwsV4Signer } from 'aws4fetch'
import { RegistryError } from '../../spec/errors.ts'
import type { Credentials } from '../authorizer.ts'
import { readJson } from '../bodies.ts'
import { upstreamInvalid } from '../errors.ts'
import type { Reply, Transport } from '../transport.ts'

/** A service of Amazon's that speaks JSON 1.1 and is signed for (Signature Version 4). */
export interface AwsService {
  readonly url: URL
  /** As its signatures name it: `ecr`. */
  readonly name: string
  readonly region: string
  /** What stands before an operation's name: `AmazonEC2ContainerRegistry_V20150921`. */
  readonly target: string
}

/** Errors that mean the credentials: that they are unknown, wrong, expired, or may not do this. */
const NOT_ACCEPTED: ReadonlySet<string> = new Set([
  'UnrecognizedClientException',
  'InvalidSignatureException',
  'SignatureDoesNotMatch',
  'IncompleteSignature',
  'InvalidClientTokenId',
  'MissingAuthenticationToken',
  'MissingAuthenticationTokenException',
  'ExpiredToken',
  'ExpiredTokenException',
  'RequestExpired',
])
const NOT_ALLOWED: ReadonlySet<string> = new Set(['AccessDenied', 'AccessDeniedException', 'UnauthorizedOperation', 'OptInRequired'])
const LIMITED: ReadonlySet<string> = new Set(['ThrottlingException', 'Throttling', 'TooManyRequestsException', 'RequestLimitExceeded'])

/** An operation that failed with an error of the service's own, by its name. */
export class AwsError extends RegistryError {
  readonly type: string

  constructor(type: string, ...rest: ConstructorParameters<typeof RegistryError>) {
    super(...rest)
    this.type = type
  }
}

/**
 * Does one operation. The key signs and never travels; the name of the key does.
 * @throws AwsError DENIED, TOOMANYREQUESTS, UPSTREAM_INVALID, with the service's name of the error; RegistryError UNAVAILABLE
 */
export async function callAws(
  transport: Transport,
  service: AwsService,
  { username, password }: Credentials,
  operation: string,
  input: object,
  signal?: AbortSignal,
): Promise<Readonly<Record<string, unknown>>> {
  const body = JSON.stringify(input)
  const headers = { 'Content-Type': 'application/x-amz-json-1.1', 'X-Amz-Target': `${service.target}.${operation}` }
  const reply = await transport.send({
    method: 'POST',
    url: service.url,
    headers,
    body: new TextEncoder().encode(body),
    repeatable: true,
    // Each attempt is signed anew: a signature is of its moment.
    authorize: async () => {
      const signer = new AwsV4Signer({
        method: 'POST',
        url: service.url.href,
        headers,
        body,
        accessKeyId: username,
        secretAccessKey: password,
        service: service.name,
        region: service.region,
        datetime: new Date(transport.clock.now()).toISOString().replace(/[:-]|\.\d{3}/g, ''),
        allHeaders: true,
      })
      const signed = (await signer.sign()).headers
      return { Authorization: signed.get('authorization') ?? '', 'X-Amz-Date': signed.get('x-amz-date') ?? '' }
    },
    signal,
  })
  if (reply.status === 200) return await readJson(reply, transport, transport.limits.listBytes)
  throw await awsError(reply, transport, operation)
}

/** Their messages repeat what was signed, so only the error's name is passed on. */
async function awsError(reply: Reply, transport: Transport, operation: string): Promise<RegistryError> {
  const { url, status } = reply
  if (status >= 500) {
    await reply.discard()
    return new RegistryError('UNAVAILABLE', `${url.host} fails at ${operation} (HTTP ${status}).`, { upstream: url.host, status })
  }
  const document = await readJson(reply, transport, transport.limits.errorBytes).catch(() => ({}) as Readonly<Record<string, unknown>>)
  const type = /(?:^|#)([A-Za-z]{1,80})(?::|$)/.exec(String(reply.headers.get('x-amzn-errortype') ?? document.__type ?? ''))?.[1]
  if (type === undefined) return upstreamInvalid(url, `answers ${operation} with HTTP ${status} and no error that it knows.`)
  const detail = { upstream: url.host, status, code: type }
  if (NOT_ACCEPTED.has(type)) return new AwsError(type, 'DENIED', `${url.host} does not accept the access key or its secret (${type}).`, detail)
  if (NOT_ALLOWED.has(type)) return new AwsError(type, 'DENIED', `The access key may not do ecr:${operation} (${type}).`, detail)
  if (LIMITED.has(type)) return new AwsError(type, 'TOOMANYREQUESTS', `${url.host} limits how often it is asked (${type}).`, detail)
  return new AwsError(type, 'UPSTREAM_INVALID', `${url.host} refuses ${operation} (${type}).`, detail)
}

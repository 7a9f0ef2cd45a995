import { RegistryError } from '../../registry/spec/errors.ts'

const CERTIFICATE = /CERT|SELF_SIGNED|UNABLE_TO_|ERR_TLS|ERR_SSL|EPROTO|DEPTH_ZERO/
const NAME = /^(?:ENOTFOUND|EAI_AGAIN|EAI_NODATA)$/

/** The sentence for a person who finds a failed task: what to look at. */
export function advice(error: unknown): string {
  if (!(error instanceof RegistryError)) return 'Start the rule again, and tell whoever runs this registry.'
  const { status, upstream } = detailOf(error)
  if (error.code === 'TOOMANYREQUESTS')
    return 'The other registry limits how often it is asked: wait, use an account with a higher limit, or copy less at once.'
  if (/quota/i.test(error.message)) return 'The project at the destination is full: raise its quota, or delete there what is not needed.'
  if (status === 401 || error.code === 'UNAUTHORIZED')
    return 'Look at the credentials of the endpoint: the other registry does not take them. Enter them anew, then retry what failed.'
  if (status === 403)
    return 'Look at the credentials of the endpoint and what they may do: its account needs the right to pull at a source and to push at a destination.'
  if (status === 412 || status === 409)
    return 'The other registry has a rule against it, such as immutable tags: look at the rules of the project there.'
  if (error.code === 'DENIED' && upstream === undefined) return 'See the message above, and what the project here allows.'
  if (error.code === 'DENIED') return 'Look at the credentials of the endpoint and what they may do.'
  if (error.code === 'UNAVAILABLE') return ofNetwork(networkCode(error), status)
  if (error.code === 'MANIFEST_UNKNOWN' || error.code === 'MANIFEST_BLOB_UNKNOWN' || error.code === 'BLOB_UNKNOWN')
    return 'The source is not whole: push the artifact there again.'
  if (error.code === 'UPSTREAM_INVALID')
    return 'The other registry sends what it should not: look at what stands between, such as a proxy, and push the artifact at the source again.'
  if (error.code === 'BLOB_UPLOAD_INVALID')
    return 'The destination loses what it is sent: look at its disk, and at what stands before it, such as a proxy.'
  if (error.code === 'SIZE_INVALID' || status === 413)
    return 'The destination takes nothing so large: raise its limit, or that of the proxy before it, or copy by chunk.'
  if (error.code === 'UNSUPPORTED') return 'The other registry cannot do this: change the rule, or the type of the endpoint.'
  return 'See the message above, then start the rule again.'
}

function ofNetwork(code: string | undefined, status: number | undefined): string {
  if (code !== undefined && NAME.test(code)) return 'The name of the other registry is not known here: look at the URL of the endpoint and at DNS.'
  if (code !== undefined && CERTIFICATE.test(code))
    return 'The certificate of the other registry is not trusted here: give the endpoint its CA certificate, or mend the certificate there.'
  if (code === 'ECONNREFUSED') return 'Nothing listens there: look at the port in the URL of the endpoint and whether the other registry is up.'
  if (status !== undefined) return 'The other registry is at fault: look into its logs, then retry what failed.'
  return 'Look whether the other registry is up and can be reached from here, then retry what failed.'
}

/** What the other registry answered: its HTTP status, if it answered. */
export function statusOf(error: unknown): number | undefined {
  return error instanceof RegistryError ? detailOf(error).status : undefined
}

function detailOf({ detail }: RegistryError): { readonly status?: number; readonly upstream?: string } {
  if (typeof detail !== 'object' || detail === null) return {}
  const { status, upstream } = detail as Record<string, unknown>
  return { ...(typeof status === 'number' && { status }), ...(typeof upstream === 'string' && { upstream }) }
}

/** The first code that Node or undici gave, such as ENOTFOUND. */
function networkCode(error: unknown): string | undefined {
  for (let cause = error, depth = 0; cause instanceof Error && depth < 6; cause = cause.cause, depth++) {
    if (cause instanceof RegistryError) continue
    const code = 'code' in cause ? cause.code : undefined
    if (typeof code === 'string') return code
  }
  return undefined
}

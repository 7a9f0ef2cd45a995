import type { OriginConfig } from '../config/settings.ts'

const HOST = /^(?:[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?|\[[0-9a-f:.]+\])(?::\d{1,5})?$/i

type UrlSettings = Pick<OriginConfig, 'external_url' | 'hostname' | 'http.port' | 'https.port' | 'https.certificate'>

/**
 * The URL that the sender of a request knows us by, without a trailing slash: the configured one, else the host it sent the request to.
 * That host goes back to its sender alone, and only if it is one.
 */
export function baseUrlOf(config: UrlSettings): (request: Request) => string {
  const configured = configuredUrl(config)
  if (configured !== undefined) return () => configured
  return (request) => {
    const url = new URL(request.url)
    const host = request.headers.get('host') ?? url.host
    const forwarded = request.headers.get('x-forwarded-proto')
    const scheme = forwarded === 'https' ? 'https' : url.protocol.replace(':', '')
    return `${scheme}://${HOST.test(host) ? host : url.host}`
  }
}

/** What `external_url` says, or `hostname` with our port. */
export function configuredUrl(config: UrlSettings): string | undefined {
  if (config.external_url !== undefined) return config.external_url
  if (config.hostname === undefined) return undefined
  const [scheme, port, usual] = config['https.certificate'] === undefined ? ['http', config['http.port'], 80] : ['https', config['https.port'], 443]
  const host = config.hostname.includes(':') ? `[${config.hostname}]` : config.hostname
  return `${scheme}://${host}${port === usual ? '' : `:${port}`}`
}

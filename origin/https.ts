import { createPrivateKey, X509Certificate } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { SettingsError } from '../runtime/settings/read.ts'
import type { OriginConfig } from './config/settings.ts'
import { configuredUrl } from './identity/base-url.ts'

/** A certificate with those above it, and its key, as PEM. */
export interface Tls {
  readonly cert: string
  readonly key: string
}

/** What to serve https with; undefined: no setting names a certificate. @throws SettingsError for files that cannot be read, are no PEM, or do not belong together */
export async function readTls(config: Pick<OriginConfig, 'https.certificate' | 'https.private_key'>): Promise<Tls | undefined> {
  const { 'https.certificate': certificate, 'https.private_key': privateKey } = config
  if (certificate === undefined && privateKey === undefined) return undefined
  if (certificate === undefined) throw new SettingsError(['https.certificate: is missing; https.private_key is its key'])
  if (privateKey === undefined) throw new SettingsError(['https.private_key: is missing; it is the key of https.certificate'])
  const cert = await read('https.certificate', certificate)
  const key = await read('https.private_key', privateKey)
  const parsed = parse('https.certificate', certificate, 'a certificate', () => new X509Certificate(cert))
  const ours = parse('https.private_key', privateKey, 'a private key without a passphrase', () => createPrivateKey(key))
  if (!parsed.checkPrivateKey(ours)) throw new SettingsError([`https.private_key: ${privateKey} is not the key of ${certificate}`])
  return { cert, key }
}

/** Sends everybody who comes by http on by https, to the same path. `probes`: what is answered here, to whoever looks whether we are there. */
export function redirectToHttps(
  config: Parameters<typeof configuredUrl>[0],
  port: number,
  probes: (request: Request) => Response | Promise<Response>,
): (request: Request) => Response | Promise<Response> {
  const configured = configuredUrl(config)
  return (request) => {
    const { hostname, pathname, search } = new URL(request.url)
    if (pathname === '/livez' || pathname === '/readyz') return probes(request)
    const here = `https://${hostname}${port === 443 ? '' : `:${port}`}`
    const base = configured?.startsWith('https:') ? configured : here
    // The method and the body stay what they are (RFC 9110, 15.4.9).
    return new Response(null, { status: 308, headers: { Location: `${base}${pathname}${search}` } })
  }
}

async function read(setting: string, path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : String(error)
    throw new SettingsError([`${setting}: ${path} cannot be read (${code})`])
  }
}

function parse<T>(setting: string, path: string, what: string, make: () => T): T {
  try {
    return make()
  } catch {
    throw new SettingsError([`${setting}: ${path} is not ${what} in PEM`])
  }
}

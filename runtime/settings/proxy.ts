import { type Kind, setting } from './define.ts'
import { list } from './kinds.ts'

/** Which parts of a site ask through the proxy, in Harbor's words: proxy caches and pings (`core`), replication and webhooks (`jobservice`). */
export type ProxyPart = 'core' | 'jobservice'

export interface ProxySettings {
  readonly 'proxy.http_proxy': string | undefined
  readonly 'proxy.https_proxy': string | undefined
  readonly 'proxy.no_proxy': readonly string[]
  readonly 'proxy.components': readonly string[]
}

/** Where a proxy is, with whoever logs in there: `http://user:password@proxy.example.com:3128`; or nothing. */
const optionalProxyUrl: Kind<string | undefined> = {
  expected: 'the http or https URL of a proxy such as http://proxy.example.com:3128',
  read: (value) => {
    if (typeof value !== 'string' || !URL.canParse(value)) return undefined
    const { protocol, pathname, search, hash, href } = new URL(value)
    return (protocol === 'http:' || protocol === 'https:') && pathname === '/' && `${search}${hash}` === '' ? href : undefined
  },
}

const PARTS: readonly string[] = ['core', 'jobservice', 'trivy', 'exporter']

const components: Kind<readonly string[]> = {
  expected: `a list of ${PARTS.join(', ')}`,
  read: (value) => {
    const named = list.read(value)
    return named?.every((one) => PARTS.includes(one)) ? named : undefined
  },
}

/** How an origin and its control plane reach the world outside. */
export const PROXY_SETTINGS = {
  'proxy.http_proxy': setting(
    optionalProxyUrl,
    undefined,
    'The proxy that upstreams, endpoints and webhooks with http:// are asked through; user and password may stand in it.',
    { secret: true },
  ),
  'proxy.https_proxy': setting(optionalProxyUrl, undefined, 'The same for https://; that of `proxy.http_proxy` when absent.', { secret: true }),
  'proxy.no_proxy': setting(list, ['127.0.0.1', 'localhost'], 'Hosts that are asked without it; a name stands for everything below it.'),
  'proxy.components': setting(
    components,
    ['core', 'jobservice'],
    'Which parts ask through it: proxy caches and pings (`core`), replication and webhooks (`jobservice`). Others that Harbor has mean nothing here.',
  ),
} as const

/** What a part's requests go through; undefined: nothing. */
export function proxyFor(config: ProxySettings, part: ProxyPart): ForwardProxy | undefined {
  const { 'proxy.http_proxy': http, 'proxy.https_proxy': https, 'proxy.no_proxy': except, 'proxy.components': parts } = config
  return (http === undefined && https === undefined) || !parts.includes(part) ? undefined : { http, https, except }
}

export interface ForwardProxy {
  readonly http: string | undefined
  readonly https: string | undefined
  readonly except: readonly string[]
}

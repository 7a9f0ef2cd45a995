import { RegistryError } from '../../../registry/spec/errors.ts'

/** Where a browser goes after its login: an address of this very place, whatever the link said that began it. @throws RegistryError UNSUPPORTED (400) */
export function landingOf(wanted: string | undefined): string {
  if (wanted === undefined || wanted === '') return '/'
  const here = 'http://here.invalid'
  const url = wanted.startsWith('/') ? URL.parse(wanted, here) : null
  const landing = url?.origin === here ? `${url.pathname}${url.search}${url.hash}` : ''
  // What is a path to one reader may name a host to the next.
  if (/^\/(?![/\\])/.test(landing)) return landing
  throw new RegistryError('UNSUPPORTED', 'redirect_url must be a path of this registry, as /harbor/projects.', undefined, { status: 400 })
}

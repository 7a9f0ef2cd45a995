import { describe, expect, it } from 'vitest'
import { systemClock } from '../../registry/clock.ts'
import type { Registry } from '../../registry/registry.ts'
import { RemoteRegistry } from '../../registry/remote/index.ts'
import { parseDigest } from '../../registry/spec/digests.ts'
import { RegistryError } from '../../registry/spec/errors.ts'
import { parseRepositoryName, parseTag } from '../../registry/spec/names.ts'
import { askObject, OBJECT_HOST } from './ask-object.ts'
import { inOwnWords } from './own-words.ts'

const digest = parseDigest(`sha256:${'a'.repeat(64)}`)
const tag = parseTag('v1')
const page = { limit: 10 }

/** Every way in which an object that fetches can fail whoever asks it. */
const FAILURES: Readonly<Record<string, () => Promise<Response>>> = {
  'is not there': async () => {
    throw new TypeError('Network connection lost.')
  },
  'answers a page of somebody else’s': async () =>
    new Response('<html>edge.internal</html>', { status: 500, headers: { 'Content-Type': 'text/html' } }),
  'breaks off in a refusal': async () => new Response('{"errors":[{"co', { status: 503, headers: { 'Content-Type': 'application/json' } }),
  'answers nonsense': async () => new Response('{}', { headers: { 'Content-Type': 'application/json' } }),
  'says that nothing is there': async () => new Response(null, { status: 404 }),
  'sends elsewhere': async () => new Response(null, { status: 307, headers: { Location: 'http://elsewhere.example.com/' } }),
  'sends in another encoding': async () => new Response('a', { headers: { 'Content-Encoding': 'x-odd', 'Content-Length': '1' } }),
  'says another range': async () => new Response('abc', { status: 206, headers: { 'Content-Range': 'bytes 7-9/10' } }),
  'answers a redirect in a circle': async () => new Response(null, { status: 302, headers: { Location: `https://${OBJECT_HOST}/v2/` } }),
}

const QUESTIONS: Readonly<Record<string, (registry: Registry) => Promise<unknown>>> = Object.fromEntries(
  Object.entries({
    'a tag': ({ manifests }: ReturnType<Registry['repository']>) => manifests.get({ tag }),
    'the head of a tag': ({ manifests }) => manifests.stat({ tag }),
    'a manifest': ({ manifests }) => manifests.get({ digest }),
    tags: ({ tags }) => tags.list(page),
    'a blob': ({ blobs }) => blobs.open(digest),
    'a range of a blob': ({ blobs }) => blobs.open(digest, { offset: 0, length: 1 }),
    'the size of a blob': ({ blobs }) => blobs.stat(digest),
    referrers: ({ referrers }) => referrers.list(digest, { page }),
  } satisfies Record<string, (repository: ReturnType<Registry['repository']>) => Promise<unknown>>).map(([name, ask]) => [
    name,
    (registry: Registry) => ask(registry.repository(parseRepositoryName('team/app'))),
  ]),
)

describe('an object that fetches', () => {
  it.each(Object.entries(FAILURES))('that %s is never named by its made-up address', async (_how, answer) => {
    const env = { FILL: { idFromName: () => ({}), get: () => ({ fetch: answer }) } }
    const remote = new RemoteRegistry({
      url: new URL(`https://${OBJECT_HOST}`),
      fetch: (url, init) => askObject({ env, bucket: 'BUCKET', what: 'blob' }, url, init),
      authorizer: { headers: async () => ({}) },
      clock: systemClock,
      limits: { attempts: 1 },
      passBlobs: true,
    })
    const registry = inOwnWords(remote.with())
    for (const [what, ask] of [...Object.entries(QUESTIONS), ['the catalog', (all: Registry) => all.repositories(page)] as const]) {
      const said = await ask(registry).then(
        () => '',
        (error: unknown) => {
          expect(error, what).toBeInstanceOf(RegistryError)
          return error instanceof RegistryError ? JSON.stringify([error, error.message, error.headers]) : ''
        },
      )
      expect(said, what).not.toContain(OBJECT_HOST)
    }
  })
})

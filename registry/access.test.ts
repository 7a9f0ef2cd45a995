import { describe, expect, it } from 'vitest'
import { type AccessAction, type Gate, restrict } from './access.ts'
import type { Registry, Repository } from './registry.ts'
import { parseDigest } from './spec/digests.ts'
import { RegistryError } from './spec/errors.ts'
import { parseRepositoryName, parseTag, type RepositoryName } from './spec/names.ts'

const digest = parseDigest(`sha256:${'a'.repeat(64)}`)
const tag = parseTag('latest')
const name = parseRepositoryName('p/app')
const page = { limit: 10 }
const empty = () => new ReadableStream<Uint8Array>({ start: (controller) => controller.close() })

/** Every call there is, with what it needs. A noun that is added without a row here fails the test below. */
const CALLS: Readonly<Record<string, readonly [AccessAction, (repository: Repository) => Promise<unknown>]>> = {
  'manifests.stat': ['pull', ({ manifests }) => manifests.stat({ tag })],
  'manifests.get': ['pull', ({ manifests }) => manifests.get({ digest })],
  'manifests.put': ['push', ({ manifests }) => manifests.put({ bytes: new Uint8Array(), mediaType: 'a/b', tags: [] })],
  'manifests.delete': ['delete', ({ manifests }) => manifests.delete(digest)],
  'tags.list': ['pull', ({ tags }) => tags.list(page)],
  'tags.delete': ['delete', ({ tags }) => tags.delete(tag)],
  'blobs.stat': ['pull', ({ blobs }) => blobs.stat(digest)],
  'blobs.open': ['pull', ({ blobs }) => blobs.open(digest)],
  'blobs.delete': ['delete', ({ blobs }) => blobs.delete(digest)],
  'uploads.begin': ['push', ({ uploads }) => uploads.begin()],
  'uploads.stat': ['push', ({ uploads }) => uploads.stat('id')],
  'uploads.append': ['push', ({ uploads }) => uploads.append('id', empty())],
  'uploads.finish': ['push', ({ uploads }) => uploads.finish('id', digest)],
  'uploads.cancel': ['push', ({ uploads }) => uploads.cancel('id')],
  'uploads.mount': ['push', ({ uploads }) => uploads.mount(digest, name)],
  'uploads.mountable': ['push', ({ uploads }) => uploads.mountable(digest, 3)],
  'referrers.list': ['pull', ({ referrers }) => referrers.list(digest, { page })],
}

const NAMES = Array.from({ length: 2500 }, (_, index) => parseRepositoryName(`p/r${String(index).padStart(4, '0')}`))

/** A registry that says what it was asked and finds everything. */
function scripted() {
  const asked: string[] = []
  const noun = (group: string) =>
    new Proxy(
      {},
      {
        get: (_, call) => async () => {
          asked.push(`${group}.${String(call)}`)
          return call === 'mountable' ? NAMES.slice(0, 6) : { found: true }
        },
      },
    )
  const repository = (own: RepositoryName) =>
    ({
      name: own,
      manifests: noun('manifests'),
      tags: noun('tags'),
      blobs: noun('blobs'),
      uploads: noun('uploads'),
      referrers: noun('referrers'),
    }) as Repository
  const registry: Registry = {
    repository,
    repositories: async ({ limit, last = '' }) => {
      const rest = NAMES.filter((entry) => entry > last)
      return { items: rest.slice(0, limit), more: rest.length > limit }
    },
  }
  return { registry, asked }
}

function gateFor(allowed: (name: RepositoryName, action: AccessAction) => boolean): Gate {
  return {
    allows: async (own, action) => allowed(own, action),
    require: async (own, action) => {
      if (!allowed(own, action)) throw new RegistryError('DENIED', 'No.')
    },
  }
}

describe('restrict', () => {
  it('asks for the right of each call before anything happens, and for no other', async () => {
    for (const [call, [needed, run]] of Object.entries(CALLS)) {
      for (const held of ['pull', 'push', 'delete'] as const) {
        const { registry, asked } = scripted()
        const outcome = run(
          restrict(
            registry,
            gateFor((_, action) => action === held),
          ).repository(name),
        )
        if (held === needed) {
          await outcome
          if (call !== 'uploads.mount') expect(asked, call).toEqual([call])
        } else {
          await expect(outcome, call).rejects.toMatchObject({ code: 'DENIED' })
          expect(asked, call).toEqual([])
        }
      }
    }
  })

  it('has every call of a repository in this test', () => {
    const { registry } = scripted()
    const repository = restrict(
      registry,
      gateFor(() => true),
    ).repository(name)
    const calls = (['manifests', 'tags', 'blobs', 'uploads', 'referrers'] as const).flatMap((group) =>
      Object.keys(repository[group]).map((call) => `${group}.${call}`),
    )
    expect(calls.sort()).toEqual(Object.keys(CALLS).sort())
  })

  it('mounts from no repository that the caller may not read, and names none', async () => {
    const { registry, asked } = scripted()
    const [first, second] = NAMES
    const readable = new Set<string>([second ?? ''])
    const { uploads } = restrict(
      registry,
      gateFor((own, action) => action === 'push' || readable.has(own)),
    ).repository(name)
    expect(await uploads.mount(digest, first ?? name)).toBeUndefined()
    expect(asked).toEqual([])
    expect(await uploads.mount(digest, second ?? name)).toEqual({ found: true })
    expect(await uploads.mountable(digest, 3)).toEqual([second])
  })

  it('pages through the allowed part of a catalog, whole and in order', async () => {
    const { registry } = scripted()
    const allowed = (own: RepositoryName) => Number(own.slice(3)) % 700 === 3
    const restricted = restrict(registry, gateFor(allowed))
    const seen: string[] = []
    for (let last: string | undefined, more = true; more; ) {
      const slice = await restricted.repositories({ limit: 2, ...(last !== undefined && { last }) })
      expect(slice.items.length).toBeGreaterThan(0)
      seen.push(...slice.items)
      more = slice.more
      last = slice.items.at(-1)
    }
    expect(seen).toEqual(NAMES.filter(allowed))
  })
})

import { type Clock, steady } from '../clock.ts'
import type { ManifestInput, TagVersions } from '../registry.ts'
import { isDigest } from '../spec/digests.ts'
import { MANIFEST_ACCEPT } from '../spec/media-types.ts'
import type { RepositoryName, Tag } from '../spec/names.ts'
import { ANY, readStanding, readVersion, VERSION_HEADER, versionHeaders } from '../versions/headers.ts'
import type { Dot, TagState, TagVersion } from '../versions/version.ts'
import { type Client, scopesOf } from './client.ts'
import { upstreamInvalid } from './errors.ts'
import type { Reply } from './transport.ts'

/** Whoever turned out to keep no versions, or not for us, is not asked for so long, in milliseconds: it may be replaced, or our rights be. */
const ASK_AGAIN_MS = 10 * 60_000

/** What is known of a registry: that it keeps no versions, since when. Lives as long as the process knows the registry. */
export class VersionsKept {
  readonly #clock: Pick<Clock, 'now' | 'monotonic'>
  #none: number | undefined

  constructor(clock: Pick<Clock, 'now' | 'monotonic'>) {
    this.#clock = clock
  }

  get unlikely(): boolean {
    return this.#none !== undefined && steady(this.#clock) - this.#none < ASK_AGAIN_MS
  }

  found(kept: boolean): void {
    this.#none = kept ? undefined : steady(this.#clock)
  }
}

/** Tags of another Atoll site, with when and where they were set. */
export class RemoteVersions implements TagVersions {
  readonly #client: Client
  readonly #name: string
  readonly #kept: VersionsKept

  constructor(client: Client, name: RepositoryName, kept: VersionsKept) {
    this.#client = client
    this.#name = client.nameOf(name)
    this.#kept = kept
  }

  async state(tag: Tag): Promise<TagState | undefined | false> {
    if (this.#kept.unlikely) return false
    const reply = await this.#client.send({
      method: 'HEAD',
      url: `/v2/${this.#name}/manifests/${tag}`,
      scopes: scopesOf(this.#name, 'pull'),
      headers: { Accept: [...MANIFEST_ACCEPT, '*/*;q=0.5'].join(', '), [VERSION_HEADER]: ANY },
      repeatable: true,
    })
    if (reply.status !== 200 && reply.status !== 404) throw await this.#client.errorOf(reply, `the tag ${this.#name}:${tag}`)
    await reply.discard()
    const kept = reply.headers.get(VERSION_HEADER) !== null
    this.#kept.found(kept)
    if (!kept) return false
    const version = readVersion(reply.headers)
    if (version === undefined) return undefined
    const digest = reply.headers.get('docker-content-digest') ?? undefined
    if (reply.status === 404) return { version, digest: undefined }
    if (digest === undefined || !isDigest(digest)) throw upstreamInvalid(reply.url, 'answers with a version of a tag without its digest.')
    return { version, digest }
  }

  async put({ bytes, mediaType }: Omit<ManifestInput, 'tags'>, tag: Tag, version: TagVersion): Promise<Dot> {
    const reply = await this.#client.send({
      method: 'PUT',
      url: `/v2/${this.#name}/manifests/${tag}`,
      scopes: scopesOf(this.#name, 'pull', 'push'),
      headers: { 'Content-Type': mediaType, ...versionHeaders(version) },
      body: bytes,
      repeatable: true,
    })
    return await this.#standing(reply, `the manifest ${this.#name}:${tag}`)
  }

  async delete(tag: Tag, version: TagVersion): Promise<Dot> {
    const reply = await this.#client.send({
      method: 'DELETE',
      url: `/v2/${this.#name}/manifests/${tag}`,
      scopes: scopesOf(this.#name, 'pull', 'push', 'delete'),
      headers: versionHeaders(version),
      repeatable: true,
    })
    return await this.#standing(reply, `deleting the tag ${this.#name}:${tag}`)
  }

  async #standing(reply: Reply, what: string): Promise<Dot> {
    if (reply.status < 200 || reply.status > 299) throw await this.#client.errorOf(reply, what)
    await reply.discard()
    const standing = readStanding(reply.headers)
    // It said a moment ago that it keeps them. Our right may have been taken away since.
    if (standing === undefined) throw upstreamInvalid(reply.url, 'does not say any more which version of a tag it has.')
    return standing
  }
}

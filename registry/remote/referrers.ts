import type { Referrers, ReferrersQuery } from '../registry.ts'
import type { Descriptor } from '../spec/descriptors.ts'
import { algorithmOf, type Digest, hexOf } from '../spec/digests.ts'
import { parseManifest } from '../spec/manifests.ts'
import { OCI_INDEX } from '../spec/media-types.ts'
import { parseTag, type RepositoryName } from '../spec/names.ts'
import type { Slice } from '../spec/pages.ts'
import { readAll } from './bodies.ts'
import { type Client, scopesOf } from './client.ts'
import { upstreamInvalid } from './errors.ts'
import { nextPage } from './lists.ts'
import type { RemoteManifests } from './manifests.ts'
import type { Reply } from './transport.ts'

export class RemoteReferrers implements Referrers {
  readonly #client: Client
  readonly #name: string
  readonly #manifests: RemoteManifests

  constructor(client: Client, name: RepositoryName, manifests: RemoteManifests) {
    this.#client = client
    this.#name = client.nameOf(name)
    this.#manifests = manifests
  }

  async list(subject: Digest, { artifactType, page }: ReferrersQuery): Promise<Slice<Descriptor>> {
    const found = (await this.#fromApi(subject, artifactType)) ?? (await this.#fromTag(subject))
    const distinct = new Map(found.map((descriptor) => [descriptor.digest, descriptor]))
    const after = [...distinct.values()]
      .filter((descriptor) => artifactType === undefined || descriptor.artifactType === artifactType)
      .filter(({ digest }) => page.last === undefined || digest > page.last)
      .sort((a, b) => (a.digest < b.digest ? -1 : 1))
    return { items: after.slice(0, page.limit), more: after.length > page.limit }
  }

  /** Every page, since a registry's order is its own. undefined: it has no such API. */
  async #fromApi(subject: Digest, artifactType: string | undefined): Promise<Descriptor[] | undefined> {
    const filter = artifactType === undefined ? '' : `?artifactType=${encodeURIComponent(artifactType)}`
    let url: string | URL = `/v2/${this.#name}/referrers/${subject}${filter}`
    const found: Descriptor[] = []
    for (let pages = 0; pages < this.#client.transport.limits.listPages; pages++) {
      const reply = await this.#client.send({
        method: 'GET',
        url,
        scopes: scopesOf(this.#name, 'pull'),
        headers: { Accept: OCI_INDEX },
        repeatable: true,
      })
      if (reply.status === 404 || reply.status === 405) {
        await reply.discard()
        return undefined
      }
      if (reply.status !== 200) throw await this.#client.errorOf(reply, `the referrers of ${subject}`)
      found.push(...(await this.#index(reply)))
      const next = nextPage(reply)
      if (next === undefined) return found
      url = next
    }
    throw upstreamInvalid(this.#client.base, `lists more referrers of ${subject} than can be read.`)
  }

  async #index(reply: Reply): Promise<readonly Descriptor[]> {
    const { transport } = this.#client
    const bytes = await readAll(reply, transport, transport.limits.listBytes)
    try {
      return parseManifest(bytes, OCI_INDEX).manifests
    } catch (cause) {
      throw upstreamInvalid(reply.url, 'answers with a list of referrers that is no index.', cause)
    }
  }

  /** distribution-spec, "Unavailable Referrers API": an index under a tag made of the digest. */
  async #fromTag(subject: Digest): Promise<readonly Descriptor[]> {
    const tag = parseTag(`${algorithmOf(subject)}-${hexOf(subject)}`.slice(0, 128))
    const manifest = await this.#manifests.get({ tag })
    if (manifest === undefined || manifest.descriptor.mediaType !== OCI_INDEX) return []
    return parseManifest(manifest.bytes, OCI_INDEX).manifests
  }
}

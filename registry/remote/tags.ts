import type { Tags } from '../registry.ts'
import { isTag, type RepositoryName, type Tag } from '../spec/names.ts'
import type { Page, Slice } from '../spec/pages.ts'
import { type Client, scopesOf } from './client.ts'
import { listPage } from './lists.ts'

export class RemoteTags implements Tags {
  readonly #client: Client
  readonly #name: string
  readonly #deleteTag: ((tag: Tag) => Promise<boolean>) | undefined

  /** `deleteTag`: the vendor's own way. */
  constructor(client: Client, name: RepositoryName, deleteTag?: (tag: Tag) => Promise<boolean>) {
    this.#client = client
    this.#name = client.nameOf(name)
    this.#deleteTag = deleteTag
  }

  list(page: Page): Promise<Slice<Tag> | undefined> {
    return listPage(this.#client, {
      path: `/v2/${this.#name}/tags/list`,
      scopes: scopesOf(this.#name, 'pull'),
      page,
      field: 'tags',
      accept: (entry) => typeof entry === 'string' && isTag(entry),
      what: `the tags of ${this.#name}`,
    })
  }

  async delete(tag: Tag): Promise<boolean> {
    if (this.#deleteTag) return await this.#deleteTag(tag)
    const reply = await this.#client.send({
      method: 'DELETE',
      url: `/v2/${this.#name}/manifests/${tag}`,
      scopes: scopesOf(this.#name, 'pull', 'push', 'delete'),
      repeatable: true,
    })
    if (reply.status !== 404 && (reply.status < 200 || reply.status > 299))
      throw await this.#client.errorOf(reply, `deleting the tag ${this.#name}:${tag}`)
    await reply.discard()
    return reply.status !== 404
  }
}

import { pause } from '../clock.ts'
import type { Repository, Upload } from '../registry.ts'
import type { Descriptor } from '../spec/descriptors.ts'
import { algorithmOf } from '../spec/digests.ts'
import { RegistryError } from '../spec/errors.ts'
import { both } from './both.ts'
import { appendDelta, type DeltaPlan, planFor } from './delta.ts'
import { FRUITLESS_LIMIT, LOST_LIMIT, PAUSE_MS } from './limits.ts'
import type { ResumeKey } from './options.ts'
import type { CopyRun } from './run.ts'
import { RunningDigest } from './running-digest.ts'
import { isOtherBytes, lost, mismatch, openAt } from './source.ts'
import { limited, watched } from './streams.ts'

/** One blob on its way by an upload session, from where an earlier copy broke off. */
export class Transfer {
  readonly #source: Repository
  readonly #destination: Repository
  readonly #blob: Descriptor
  readonly #run: CopyRun
  readonly #tell: (step: 'begin' | 'moving', done: number) => void
  readonly #key: ResumeKey
  #running: RunningDigest
  /** How often the destination has made something else of all that it was sent. */
  #lost = 0
  /** The id of the upload, as it was last. */
  #known: string | undefined
  /** What need not be sent. Given up where it fails for another reason than the link. */
  #plan: DeltaPlan | undefined

  constructor(source: Repository, destination: Repository, blob: Descriptor, run: CopyRun, tell: (step: 'begin' | 'moving', done: number) => void) {
    this.#source = source
    this.#destination = destination
    this.#blob = blob
    this.#run = run
    this.#tell = tell
    this.#key = { repository: destination.name, digest: blob.digest }
    this.#running = this.#newRunning()
  }

  /** Whether an earlier copy was broken off with it. */
  async isUnderWay(): Promise<boolean> {
    return (await this.#run.options.resume?.get(this.#key)) !== undefined
  }

  /** `begun`: an upload for it without any bytes yet. */
  async move(begun?: Upload): Promise<void> {
    const { delta, chunkBytes } = this.#run.options
    const plan = async () => (delta && chunkBytes === undefined ? await planFor(this.#blob, delta) : undefined)
    let upload: Upload
    ;[this.#plan, upload] = await both(plan, () => (begun === undefined ? this.#takeUp() : this.#begun(begun)))
    for (let fruitless = 0; ; ) {
      const before = upload.size
      try {
        upload = await this.#send(upload)
        await this.#finish(upload)
        return
      } catch (error) {
        this.#run.signal.throwIfAborted()
        if (!(error instanceof RegistryError) || !(isWorthAnother(error) || this.#plan) || this.#lost >= LOST_LIMIT) throw error
        if (error.code !== 'UNAVAILABLE') this.#plan = undefined
        // The destination may still be writing what it got before the cut, and what it writes need not be sent again.
        await pause(this.#run.clock, PAUSE_MS * 2 ** fruitless, this.#run.signal)
        if (await this.#destination.blobs.stat(this.#blob.digest)) return await this.#forget()
        upload = await this.#takeUp()
        if (upload.size <= before) {
          // A busy one may not have come to what it got at all.
          await pause(this.#run.clock, PAUSE_MS * 2 ** fruitless, this.#run.signal)
          upload = await this.#takeUp()
        }
        // A link that is cut again and again is used as long as each time some of it arrives.
        fruitless = upload.size > before ? 0 : fruitless + 1
        if (fruitless >= FRUITLESS_LIMIT) throw error
      }
    }
  }

  /** The upload that was broken off, as far as the destination has it; or a new one. */
  async #takeUp(): Promise<Upload> {
    const { resume } = this.#run.options
    const known = this.#known ?? (await resume?.get(this.#key))
    if (known !== undefined) {
      const upload = await this.#stat(known)
      if (upload && upload.size <= this.#blob.size) {
        this.#tell('begin', upload.size)
        return this.#remember(upload)
      }
      if (upload) await this.#destination.uploads.cancel(upload.id)
    }
    this.#running = this.#newRunning()
    const { digest } = this.#blob
    const begin = () => this.#destination.uploads.begin({ algorithm: algorithmOf(digest) })
    return this.#begun(await this.#run.at(`opening an upload for the blob ${digest}`, begin))
  }

  #begun(upload: Upload): Promise<Upload> {
    this.#run.options.onStep?.('upload begun')
    this.#tell('begin', 0)
    return this.#remember(upload)
  }

  async #remember(upload: Upload): Promise<Upload> {
    if (upload.id !== this.#known) {
      this.#known = upload.id
      await this.#run.options.resume?.put(this.#key, upload.id)
      this.#run.options.onStep?.('upload remembered')
    }
    return upload
  }

  async #forget(): Promise<void> {
    this.#known = undefined
    await this.#run.options.resume?.delete(this.#key)
  }

  /** undefined: the destination does not know it any more, or cannot say where it stands. */
  async #stat(id: string): Promise<Upload | undefined> {
    try {
      return await this.#destination.uploads.stat(id)
    } catch (error) {
      if (error instanceof RegistryError && error.status >= 400 && error.status < 500 && error.code !== 'DENIED' && error.code !== 'TOOMANYREQUESTS')
        return undefined
      throw error
    }
  }

  async #send(begun: Upload): Promise<Upload> {
    const { options, signal } = this.#run
    const { size, digest } = this.#blob
    const chunkBytes = options.chunkBytes ?? size
    let upload = begun
    while (upload.size < size && this.#plan) upload = await this.#remember(await this.#sendDelta(upload, this.#plan))
    while (upload.size < size) {
      const range = { offset: upload.size, length: Math.min(chunkBytes, size - upload.size) }
      const opened = await openAt(this.#source, this.#blob, range, options, signal)
      let at = range.offset
      let failure: unknown
      const passing = watched(opened, signal, {
        see: (chunk) => {
          this.#running.take(at, chunk)
          at += chunk.byteLength
          this.#run.moved(chunk.byteLength)
          this.#tell('moving', at)
          options.onStep?.('bytes moving')
        },
        failed: (error) => {
          failure = error
        },
      })
      const stream = this.#run.pace === undefined ? passing : limited(passing, this.#run.pace, signal)
      try {
        upload = await this.#remember(await this.#destination.uploads.append(upload.id, stream, range))
      } catch (error) {
        // The destination sees no more than that its request broke off; why, the source knows.
        throw failure ?? error
      }
      options.onStep?.('bytes appended')
      if (upload.size !== range.offset + range.length) {
        throw new RegistryError('UNAVAILABLE', `The destination has ${upload.size} bytes of ${digest} after it was sent ${at}.`)
      }
    }
    return upload
  }

  async #sendDelta(upload: Upload, plan: DeltaPlan): Promise<Upload> {
    const { options, signal } = this.#run
    const { delta } = options
    if (!delta) return upload
    let failure: unknown
    let travelled = 0
    const passing = (stream: ReadableStream<Uint8Array>) => {
      const seen = watched(stream, signal, {
        see: (chunk) => {
          travelled += chunk.byteLength
        },
        failed: (error) => {
          failure = error
        },
      })
      return this.#run.pace === undefined ? seen : limited(seen, this.#run.pace, signal)
    }
    const moved = (bytes: number) => this.#run.moved(bytes)
    try {
      const after = await appendDelta(upload, this.#blob, plan, delta, { moved, passing })
      this.#run.reused += Math.max(0, after.size - upload.size - travelled)
      this.#tell('moving', after.size)
      return after
    } catch (error) {
      throw failure ?? error
    }
  }

  async #finish(upload: Upload): Promise<void> {
    const { digest } = this.#blob
    // Of an upload that an earlier run began we saw only the rest: there the destination's own check stands alone.
    const seen = this.#running.of(this.#blob.size)
    if (seen !== undefined && seen !== digest) {
      await this.#destination.uploads.cancel(upload.id)
      await this.#forget()
      throw mismatch(digest, seen)
    }
    try {
      await this.#run.at(`finishing the blob ${digest}`, () => this.#destination.uploads.finish(upload.id, digest))
    } catch (error) {
      if (!isOtherBytes(error)) throw error
      await this.#forget()
      // Something was wrong with what an earlier run had sent. From the beginning, we see all of it.
      if (seen === undefined) throw new RegistryError('BLOB_UPLOAD_INVALID', error.message, error.detail, { cause: error })
      this.#lost++
      throw lost(digest, error)
    }
    this.#run.options.onStep?.('blob finished')
    await this.#forget()
    this.#run.options.onStep?.('upload forgotten')
  }

  #newRunning(): RunningDigest {
    return new RunningDigest(this.#run.options.createHasher(algorithmOf(this.#blob.digest)))
  }
}

/** The link, or the upload session, may be at fault rather than what we want. */
export function isWorthAnother({ code }: RegistryError): boolean {
  return code === 'UNAVAILABLE' || code === 'RANGE_INVALID' || code === 'BLOB_UPLOAD_UNKNOWN' || code === 'BLOB_UPLOAD_INVALID'
}

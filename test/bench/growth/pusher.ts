import { randomUUID } from 'node:crypto'
import type { AtollProcess } from '../../support/atoll.ts'
import { pushBlob, randomFile } from '../images.ts'
import { upload } from '../load.ts'
import { pushRight } from '../tokens.ts'
import { BIG_REPOSITORY } from './generate.ts'

const MANIFEST = 'application/vnd.oci.image.manifest.v1+json'
/** Between two pushes, in milliseconds. */
const EVERY_MS = 50

export interface Pusher {
  /** Pushes manifests, one after the other, while `work` runs. @throws what the work or a push throws */
  beside<T>(work: () => Promise<T>): Promise<T>
  /** What each push took since this was asked last, in milliseconds, in order of length. */
  took(): readonly number[]
}

/** Somebody who pushes to the big repository. */
export async function pusher(atoll: AtollProcess): Promise<Pusher> {
  const headers = await pushRight(BIG_REPOSITORY, atoll.api)
  await using config = await randomFile(2_000)
  await pushBlob(upload, { host: atoll.origin, repository: BIG_REPOSITORY, headers }, config)
  const { digest, size } = config
  let times: number[] = []
  const push = async () => {
    const id = randomUUID()
    const body = JSON.stringify({
      schemaVersion: 2,
      mediaType: MANIFEST,
      config: { mediaType: 'application/vnd.oci.image.config.v1+json', digest, size },
      layers: [{ mediaType: 'application/vnd.oci.image.layer.v1.tar', digest, size }],
      annotations: { id },
    })
    const { authorization } = await pushRight(BIG_REPOSITORY, atoll.api)
    const url = `http://${atoll.origin}/v2/${BIG_REPOSITORY}/manifests/${id}`
    const from = performance.now()
    const answer = await fetch(url, { method: 'PUT', headers: { authorization: authorization ?? '', 'content-type': MANIFEST }, body })
    const text = await answer.text()
    times.push(performance.now() - from)
    if (answer.status !== 201) throw new Error(`a push beside questions: ${answer.status} ${text}`)
  }
  return {
    took: () => {
      const taken = times
      times = []
      return taken.sort((a, b) => a - b)
    },
    async beside(work) {
      let over = false
      const pushing = (async () => {
        while (!over) {
          await push()
          await new Promise((resolve) => setTimeout(resolve, EVERY_MS))
        }
      })()
      const working = work().finally(() => {
        over = true
      })
      return (await Promise.all([working, pushing]))[0]
    },
  }
}

import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { Agent, get, type IncomingMessage, request } from 'node:http'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'

const PIECE = 1024 * 1024

/** A blob that is made while it is sent, so that the test holds none of it. Its size is in whole MiB. */
export interface LargeBlob {
  readonly digest: string
  readonly size: number
  pieces(): Generator<Buffer>
}

export function largeBlob(size: number): LargeBlob {
  const base = randomBytes(PIECE)
  function* pieces() {
    for (let at = 0; at < size; at += PIECE) {
      const piece = Buffer.from(base)
      piece.writeDoubleBE(at)
      yield piece
    }
  }
  const hash = createHash('sha256')
  for (const piece of pieces()) hash.update(piece)
  return { digest: `sha256:${hash.digest('hex')}`, size, pieces }
}

/** POST, then PUT of all of it. @throws unless it is accepted */
export async function pushLarge(host: string, repository: string, token: string, blob: LargeBlob): Promise<void> {
  const authorization = `Bearer ${token}`
  const begun = await fetch(`http://${host}/v2/${repository}/blobs/uploads/`, { method: 'POST', headers: { authorization } })
  await begun.arrayBuffer()
  const url = new URL(begun.headers.get('location') ?? '', `http://${host}`)
  url.searchParams.set('digest', blob.digest)
  const put = request(url, { method: 'PUT', headers: { authorization, 'content-length': blob.size, 'content-type': 'application/octet-stream' } })
  const answered = once(put, 'response') as Promise<[IncomingMessage]>
  await Promise.all([answered, pipeline(Readable.from(blob.pieces(), { highWaterMark: 1 }), put)])
  const [answer] = await answered
  answer.resume()
  if (answer.statusCode !== 201) throw new Error(`a push to ${host} was answered with ${answer.statusCode}`)
}

/** Reads all of it, as fast as it comes. @throws unless it is all of it */
export async function pullLarge(host: string, repository: string, token: string, blob: LargeBlob): Promise<void> {
  const answer = await begin(host, repository, token, blob)
  const hash = createHash('sha256')
  await pipeline(answer, hash)
  if (`sha256:${hash.digest('hex')}` !== blob.digest) throw new Error(`other bytes came from ${host}`)
}

/** So many clients that have each got some of it and then stopped reading. */
export async function stalledReaders(host: string, repository: string, token: string, blob: LargeBlob, count: number): Promise<Disposable> {
  const readers = await Promise.all(
    Array.from({ length: count }, async () => {
      const answer = await begin(host, repository, token, blob)
      await once(answer, 'readable')
      answer.read(1)
      return answer
    }),
  )
  return {
    [Symbol.dispose]() {
      for (const reader of readers) reader.destroy()
    },
  }
}

async function begin(host: string, repository: string, token: string, blob: LargeBlob): Promise<IncomingMessage> {
  const asked = get(`http://${host}/v2/${repository}/blobs/${blob.digest}`, {
    headers: { authorization: `Bearer ${token}` },
    agent: new Agent({ keepAlive: false }),
  })
  const [answer] = (await once(asked, 'response')) as [IncomingMessage]
  if (answer.statusCode !== 200) throw new Error(`${blob.digest} at ${host} was answered with ${answer.statusCode}`)
  return answer
}

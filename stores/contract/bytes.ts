// Helpers of the contract's cases. Web standards and node:assert only: the cases also run inside workerd.

import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { type Digest, type DigestAlgorithm, parseDigest } from '../../registry/spec/digests.ts'
import { RegistryError } from '../../registry/spec/errors.ts'

/** Bytes without a pattern, the same for the same seed. */
export function noise(seed: number, length: number): Uint8Array<ArrayBuffer> {
  const words = new Uint32Array(Math.ceil(length / 4))
  let state = (seed * 2654435761 + 88675123) >>> 0 || 1
  for (let index = 0; index < words.length; index++) {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    words[index] = state
  }
  return new Uint8Array(words.buffer, 0, length)
}

export function digestOf(bytes: Uint8Array, algorithm: DigestAlgorithm = 'sha256'): Digest {
  return parseDigest(`${algorithm}:${createHash(algorithm).update(bytes).digest('hex')}`)
}

export async function readAll(stream: ReadableStream<Uint8Array>): Promise<Uint8Array> {
  const chunks: Uint8Array[] = []
  for await (const chunk of stream) chunks.push(chunk)
  return concat(chunks)
}

export function concat(chunks: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(chunks.reduce((sum, chunk) => sum + chunk.length, 0))
  let at = 0
  for (const chunk of chunks) {
    all.set(chunk, at)
    at += chunk.length
  }
  return all
}

/** Like deepEqual, but without printing megabytes. */
export function sameBytes(actual: Uint8Array, expected: Uint8Array): void {
  assert.equal(actual.length, expected.length)
  const wrong = actual.findIndex((byte, index) => byte !== expected[index])
  assert.equal(wrong, -1, `byte ${wrong} is another`)
}

/** A stream that gives these chunks and then ends, or fails with `failure`. */
export function streamOf(chunks: readonly Uint8Array[], failure?: Error): ReadableStream<Uint8Array> {
  const rest = [...chunks]
  return new ReadableStream({
    pull(controller) {
      const next = rest.shift()
      if (next) controller.enqueue(next)
      else if (failure) controller.error(failure)
      else controller.close()
    },
  })
}

export async function refusedWith(code: RegistryError['code'], act: Promise<unknown>): Promise<void> {
  await assert.rejects(act, (error) => error instanceof RegistryError && error.code === code)
}

import { expect, it } from 'vitest'
import { chunksOf } from './chunks.ts'
import { Pieces } from './pieces.ts'

const KIB = 1024

it('pieces are as large as they may be for a few, and smaller the more answers share what may be held', () => {
  const pieces = new Pieces()
  const ends: (() => void)[] = []
  let before = pieces.bytes
  for (let answers = 1; answers <= 1_024; answers++) {
    ends.push(pieces.begin())
    expect(pieces.bytes).toBeLessThanOrEqual(before)
    expect(answers * 2 * pieces.bytes).toBeLessThanOrEqual(32 * KIB * KIB)
    if (answers <= 64) expect(pieces.bytes).toBe(256 * KIB)
    before = pieces.bytes
  }
  expect(before).toBe(16 * KIB)
  for (const end of ends) end()
  expect(pieces.bytes).toBe(256 * KIB)
})

it('a body that was begun while there were few is read in small pieces as soon as there are many', async () => {
  const pieces = new Pieces()
  const asked: number[] = []
  const body = new ReadableStream({
    type: 'bytes',
    pull(controller) {
      const view = controller.byobRequest?.view
      asked.push(view?.byteLength ?? 0)
      controller.byobRequest?.respond(view?.byteLength ?? 0)
    },
  })
  const chunks = chunksOf(body, 1_000_000_000, pieces)
  const take = async () => {
    const { value } = await chunks.next()
    if (value !== undefined) chunks.recycle(value)
  }
  await take()
  const ends = Array.from({ length: 500 }, () => pieces.begin())
  await take()
  await take()
  for (const end of ends) end()
  await take()
  expect(asked).toEqual([256 * KIB, 32 * KIB, 32 * KIB, 256 * KIB])
  await chunks.cancel()
})

import { expect, it } from 'vitest'
import { LoopTurns } from './loop-turns.ts'

const PIECE = 128 * 1024
const turn = () => new Promise<void>((resolve) => setImmediate(resolve))

it('large answers leave the loop to others after so many bytes, and go on in their order', async () => {
  const turns = new LoopTurns()
  const gone: number[] = []
  const now = Array.from({ length: 40 }, (_, index) => {
    const wait = turns.ask(PIECE)
    void wait?.then(() => gone.push(index))
    return wait === undefined
  }).filter(Boolean).length
  expect(now).toBe(8)
  const seen: number[] = []
  while (gone.length + now < 40) {
    await turn()
    seen.push(gone.length)
  }
  expect(Math.max(...seen.map((count, index) => count - (seen[index - 1] ?? 0)))).toBeLessThanOrEqual(8)
  expect(gone).toEqual(Array.from({ length: 32 }, (_, index) => index + 8))
})

it('those who write little never wait', async () => {
  const turns = new LoopTurns()
  for (let i = 0; i < 100; i++) {
    for (let piece = 0; piece < 3; piece++) expect(turns.ask(PIECE)).toBeUndefined()
    await turn()
    await turn()
  }
})

import { expect, it } from 'vitest'
import { parseDigest } from '../spec/digests.ts'
import { Together } from './together.ts'

const digest = parseDigest(`sha256:${'a'.repeat(64)}`)

it('what several copies need moves once, and the failure of one is not that of the next', async () => {
  const together = new Together({ requests: 4, streams: 4 })
  const [first, second] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
  const tries: Promise<void>[] = [first.promise, second.promise]
  let begun = 0
  const copies = Array.from({ length: 4 }, () => together.once(digest, () => tries[begun++] ?? Promise.reject(new Error('once too often'))))
  expect(begun).toBe(1)
  first.reject(new Error('cut'))
  await expect(copies[0]).rejects.toThrow('cut')
  second.resolve()
  const moved = await Promise.all(copies.slice(1))
  expect(moved.filter(Boolean)).toHaveLength(1)
  expect(begun).toBe(2)
  expect(await together.once(digest, () => Promise.reject(new Error('it is there')))).toBe(false)
})

it('what is done in order goes on after one that failed', async () => {
  const together = new Together({ requests: 1, streams: 1 })
  const done: number[] = []
  const failing = together.inOrder('tag', () => Promise.reject(new Error('cut')))
  const next = together.inOrder('tag', async () => void done.push(1))
  await expect(failing).rejects.toThrow('cut')
  await next
  expect(done).toEqual([1])
})

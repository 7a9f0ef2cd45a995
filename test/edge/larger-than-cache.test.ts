import { createHash, randomBytes } from 'node:crypto'
import { expect, test } from 'vitest'
import { TestEdge, TestOrigin } from './support.ts'

const MIB = 1024 * 1024

test('a layer larger than the whole cache comes to nodes at different speeds, every byte right', async () => {
  await using origin = await TestOrigin.start()
  await origin.project('models', { public: true })
  const { layer } = await origin.push('models/large', 'v1', randomBytes(40 * MIB))
  await using edge = await TestEdge.start(origin, { name: 'narrow', settings: { 'edge.cache.max_bytes': { bytes: 8 * MIB } } })
  const pull = async () => await fetch(`${edge.url}/v2/models/large/blobs/${layer}`)
  const digest = async (response: Response) => {
    const hash = createHash('sha256')
    for await (const chunk of response.body ?? []) hash.update(chunk)
    return `sha256:${hash.digest('hex')}`
  }
  const [fast, ...slow] = await Promise.all([pull(), pull(), pull(), pull()])
  if (fast === undefined) throw new TypeError('there are four')
  // The others have what their connections hold, and read nothing until the first has all of it.
  expect(await digest(fast)).toBe(layer)
  expect(await Promise.all(slow.map(digest))).toEqual(slow.map(() => layer))
  expect(await digest(await pull())).toBe(layer)
})

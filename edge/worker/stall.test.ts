import { expect, it } from 'vitest'
import { TestClock } from '../../test/support/clock.ts'
import { OBJECT_STALL_MS } from '../limits.ts'
import { untilStalled } from './stall.ts'

/** Small, so that nothing is read ahead. */
const SIZE = 8

it('a part of the edge that stops sending is given up, and a client that stops reading is not', async () => {
  const clock = new TestClock()
  let sent = 0
  const silent = Promise.withResolvers<void>()
  let given: unknown
  const object = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        if (sent++ < 2) return controller.enqueue(new Uint8Array(1))
        silent.resolve()
        await new Promise(() => {})
      },
      cancel: (reason) => {
        given = reason
      },
    },
    { highWaterMark: 0 },
  )
  const reader = untilStalled(object, clock, SIZE).getReader()
  expect((await reader.read()).value).toHaveLength(1)
  clock.advance(2 * OBJECT_STALL_MS)
  expect((await reader.read()).value).toHaveLength(1)
  const third = reader.read()
  await silent.promise
  clock.advance(OBJECT_STALL_MS)
  await expect(third).rejects.toMatchObject({ code: 'UNAVAILABLE' })
  expect(given).toMatchObject({ code: 'UNAVAILABLE' })
})

it('what ends well ends well', async () => {
  const stream = untilStalled(new Response('whole').body ?? new ReadableStream(), new TestClock(), SIZE)
  expect(await new Response(stream).text()).toBe('whole')
})

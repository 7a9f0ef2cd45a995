import assert from 'node:assert/strict'
import fc from 'fast-check'
import type { Draft, DraftWriter } from '../../registry/blob-store.ts'
import { concat, noise, readAll, sameBytes } from './bytes.ts'

type Step =
  | { readonly act: 'write'; readonly length: number }
  | { readonly act: 'close' }
  | { readonly act: 'abort' }
  | { readonly act: 'read'; readonly from: number; readonly to: number }

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ act: fc.constant('write' as const), length: fc.oneof(fc.nat(2000), fc.nat(900_000), fc.constantFrom(262_144, 524_288)) }),
  },
  { weight: 1, arbitrary: fc.record({ act: fc.constant('close' as const) }) },
  { weight: 1, arbitrary: fc.record({ act: fc.constant('abort' as const) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      act: fc.constant('read' as const),
      from: fc.double({ min: 0, max: 1, noNaN: true }),
      to: fc.double({ min: 0, max: 1, noNaN: true }),
    }),
  },
)

/** A random life of a draft against the simplest model of one: an array. */
export const growDraft = {
  schedule: fc.record({ steps: fc.array(step, { maxLength: 14 }), expected: fc.option(fc.integer({ min: 0, max: 3_000_000 }), { nil: undefined }) }),

  /** Lives it, checking every answer, and resolves with what the draft must then hold. */
  async follow(draft: Draft, { steps, expected }: { readonly steps: readonly Step[]; readonly expected: number | undefined }): Promise<Uint8Array> {
    let held: Uint8Array = new Uint8Array(0)
    let writer: DraftWriter | undefined
    const cut = (size: number) => {
      assert.ok(size <= held.length, 'a draft grew by itself')
      held = held.slice(0, size)
    }
    const end = async () => {
      if (writer) cut(await writer.close())
      writer = undefined
    }
    for (const [seed, one] of steps.entries()) {
      if (one.act === 'close') await end()
      else if (one.act === 'abort') {
        await writer?.abort()
        writer = undefined
        cut((await draft.size()) ?? 0)
      } else if (one.act === 'write') {
        const total = expected !== undefined && held.length + one.length <= expected ? expected : undefined
        if (writer && total === undefined) await end()
        writer ??= await draft.writer({ offset: held.length, ...(total === undefined ? {} : { expected: total }) })
        const chunk = noise(seed, one.length)
        await writer.write(chunk.slice())
        held = concat([held, chunk])
      } else {
        const readable = writer?.readable ?? (await draft.size()) ?? 0
        const [from, to] = [one.from, one.to].map((part) => Math.floor(part * readable)).sort((a, b) => a - b)
        if (readable === 0 || from === undefined || to === undefined) continue
        sameBytes(await readAll(await draft.read({ offset: from, length: to - from })), held.subarray(from, to))
      }
    }
    await end()
    if ((await draft.size()) === undefined) await (await draft.writer({ offset: 0 })).close()
    assert.equal(await draft.size(), held.length)
    return held
  },
}

import type { FillSource } from './fills.ts'
import type { Patches } from './patches.ts'
import { type SourceBytesOptions, sourceBytes } from './source-bytes.ts'

/**
 * A blob's bytes from `from` to its end: what has come ahead of the fill is read from the store, everything else from the source. While
 * nobody follows (`followed`) it is asked for in parts that end before what may be asked for apart meanwhile: an answer that flows cannot jump.
 * @throws what sourceBytes does
 */
export async function* inOrder(
  source: FillSource,
  patches: Patches,
  { onSize, followed, ...options }: SourceBytesOptions & { readonly followed: () => boolean },
): AsyncGenerator<Uint8Array, void, undefined> {
  const { signal, limits, log } = options
  let position = options.from
  let { size } = options
  const until = (at: number, doing: 'ask' | 'read') => {
    if (doing === 'read') return patches.next(at, limits.passOverBytes)
    const next = patches.next(at, 1)
    // A part that ends beyond a blob of unknown size would be refused by some.
    const inside = size !== undefined || Number.isFinite(next)
    return inside && !followed() ? Math.min(next, at + limits.aheadBytes) : next
  }
  while (size === undefined || position < size) {
    const patch = patches.at(position)
    if (patch === undefined || !patch.kept) {
      const told = async (found: number) => {
        size = found
        await onSize(found)
      }
      for await (const chunk of sourceBytes(source, { ...options, from: position, size, until, onSize: told })) {
        position += chunk.length
        yield chunk
      }
      continue
    }
    const begun = position
    const coming = !patch.over
    try {
      const { stream } = await patch.open(position, patch.end, signal)
      for await (const chunk of stream) {
        position += chunk.length
        yield chunk
      }
    } catch (error) {
      signal.throwIfAborted()
      log.info({ source: source.name, position, error }, 'a range that came ahead ends early')
      // What broke off is read as far as it came; what cannot be read is asked for again.
      if (position === begun && !(coming && patch.over)) await patches.drop(patch)
    }
  }
}

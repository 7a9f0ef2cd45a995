import { pipeline } from 'node:stream/promises'
import { createGunzip } from 'node:zlib'
import { extract } from 'tar-stream'
import { CHART_FILE_LIMIT, CHART_UNPACKED_LIMIT } from './limits.ts'

/** A chart that cannot be read; the message is for whoever asked. */
export class BadChart extends Error {
  override readonly name = 'BadChart'
}

/**
 * A file of a packed Helm chart; `names` in lower case, the first folder of the archive left away. undefined: it has none of that name.
 * @throws BadChart for what is no gzipped tar, or more than can be shown
 */
export async function chartFile(packed: Uint8Array, names: readonly string[]): Promise<string | undefined> {
  const archive = extract()
  const unpacking = pipeline([packed], createGunzip(), archive)
  // Whoever reads on hears of it; nobody does who has found what he wanted.
  unpacking.catch(() => undefined)
  let unpacked = 0
  try {
    for await (const entry of archive) {
      const { name, type, size = 0 } = entry.header
      const wanted = type === 'file' && names.includes(name.slice(name.indexOf('/') + 1).toLowerCase())
      if (wanted && size > CHART_FILE_LIMIT) throw new BadChart(`${name} has more than ${CHART_FILE_LIMIT} bytes; pull the chart to see it.`)
      const parts: Buffer[] = []
      for await (const chunk of entry as AsyncIterable<Buffer>) {
        unpacked += chunk.byteLength
        if (unpacked > CHART_UNPACKED_LIMIT) throw new BadChart(`The chart has more than ${CHART_UNPACKED_LIMIT} bytes unpacked.`)
        if (wanted) parts.push(chunk)
      }
      if (wanted) return Buffer.concat(parts).toString('utf8')
    }
    await unpacking
  } catch (error) {
    throw error instanceof BadChart ? error : new BadChart('The layer of this chart is no gzipped tar archive.', { cause: error })
  } finally {
    archive.destroy()
  }
  return undefined
}

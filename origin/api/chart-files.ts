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
  let found: Buffer | undefined
  let unpacked = 0
  const archive = extract()
  archive.on('entry', (header, stream, next) => {
    const parts: Buffer[] = []
    const wanted = header.type === 'file' && names.includes(header.name.slice(header.name.indexOf('/') + 1).toLowerCase())
    if (wanted && (header.size ?? 0) > CHART_FILE_LIMIT) {
      archive.destroy(new BadChart(`${header.name} has more than ${CHART_FILE_LIMIT} bytes; pull the chart to see it.`))
      return
    }
    stream.on('data', (data) => {
      const chunk = data as Buffer
      unpacked += chunk.byteLength
      if (unpacked > CHART_UNPACKED_LIMIT) archive.destroy(new BadChart(`The chart has more than ${CHART_UNPACKED_LIMIT} bytes unpacked.`))
      if (wanted) parts.push(chunk)
    })
    stream.on('end', () => {
      if (wanted) found = Buffer.concat(parts)
      next()
    })
  })
  try {
    await pipeline([packed], createGunzip(), archive)
  } catch (error) {
    throw error instanceof BadChart ? error : new BadChart('The layer of this chart is no gzipped tar archive.', { cause: error })
  }
  return found?.toString('utf8')
}

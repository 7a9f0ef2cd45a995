import type { FileHandle } from 'node:fs/promises'
import { RegistryError } from '../registry/spec/errors.ts'
import type { ByteRange } from '../registry/spec/ranges.ts'
import { diskFailure } from './file-system.ts'

/**
 * For a reader that brings no buffer of its own. Each piece is new memory, which waits for the collector: with pieces of 1 MiB a process that
 * replicates a layer held 50 MiB more than with these.
 */
const BUFFER = 128 * 1024

/**
 * A part of an open file, read as it is asked for. The file is closed at the end of the part, on an error, and on cancel; `closed` hears of it.
 */
export function fileStream(file: FileHandle, range: ByteRange, closed: () => void = () => {}): ReadableStream<Uint8Array<ArrayBuffer>> {
  let position = range.offset
  const end = range.offset + range.length
  const close = async () => {
    closed()
    await file.close()
  }
  return new ReadableStream({
    type: 'bytes',
    async start(controller) {
      if (position < end) return
      await close()
      finish(controller)
    },
    async pull(controller) {
      try {
        const request = controller.byobRequest
        const view = request?.view
        const buffer = view ? new Uint8Array(view.buffer, view.byteOffset, view.byteLength) : Buffer.allocUnsafeSlow(Math.min(BUFFER, end - position))
        const { bytesRead } = await file.read(buffer, 0, Math.min(buffer.length, end - position), position)
        if (bytesRead === 0) throw new RegistryError('UNKNOWN', 'The store holds fewer bytes of this blob than it should.')
        position += bytesRead
        if (request) request.respond(bytesRead)
        else controller.enqueue(buffer.subarray(0, bytesRead))
        if (position < end) return
        await close()
        finish(controller)
      } catch (error) {
        await close()
        throw diskFailure(error)
      }
    },
    async cancel() {
      await close()
    },
  })
}

/** Closing alone leaves a reader waiting who has brought a buffer meanwhile. */
function finish(controller: ReadableByteStreamController): void {
  controller.close()
  controller.byobRequest?.respond(0)
}

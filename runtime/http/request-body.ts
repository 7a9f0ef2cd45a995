import type { IncomingMessage } from 'node:http'

/**
 * The body of a request as a web stream. Nothing is read before it is asked for; Node's own buffer (64 KiB) is the read-ahead.
 * It fails if the connection ends before the body does. `onRead` is called each time somebody is about to read.
 */
export function requestBody(incoming: IncomingMessage, onRead: () => void = () => {}): ReadableStream<Uint8Array<ArrayBuffer>> {
  let settle: (() => void) | undefined
  const wake = () => {
    settle?.()
    settle = undefined
  }
  return new ReadableStream(
    {
      start() {
        // 'readable' makes Node fill its buffer, and stop when that is full.
        incoming.on('readable', wake)
        incoming.on('end', wake)
        incoming.on('error', wake)
        incoming.on('close', wake)
      },
      async pull(controller) {
        onRead()
        for (;;) {
          const chunk: Buffer<ArrayBuffer> | null = incoming.read()
          if (chunk !== null) {
            controller.enqueue(chunk)
            return
          }
          if (incoming.readableEnded) {
            controller.close()
            return
          }
          if (incoming.errored || incoming.destroyed) throw incoming.errored ?? new Error('The connection ended before the body.')
          await new Promise<void>((resolve) => {
            settle = resolve
          })
        }
      },
      cancel() {
        // The rest is for whoever ends the exchange: it decides between reading on and closing.
        wake()
      },
    },
    { highWaterMark: 0 },
  )
}

/** A body of no bytes: what an answer or a request without one is read as. */
export function emptyStream(): ReadableStream<Uint8Array<ArrayBuffer>> {
  return new ReadableStream({ start: (controller) => controller.close() })
}

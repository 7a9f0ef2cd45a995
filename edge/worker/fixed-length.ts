/** workerd's own: a stream that fails when it does not get exactly so many bytes. */
declare const FixedLengthStream: new (length: number) => TransformStream<Uint8Array, Uint8Array>

/**
 * The same answer, its length kept by the runtime. Without this, workerd sends a stream of ours without a length, and one that fails
 * in the middle looks to its reader as if it had ended well.
 */
export function fixedLength(response: Response): Response {
  const length = response.headers.get('Content-Length')
  if (response.body === null || length === null || !/^\d+$/.test(length)) return response
  return new Response(response.body.pipeThrough(new FixedLengthStream(Number(length))), response)
}

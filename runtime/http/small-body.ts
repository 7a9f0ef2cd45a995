import { RegistryError } from '../../registry/spec/errors.ts'

/** The bytes of a request that has no business being large. Nothing is read beyond `limit`. @throws RegistryError SIZE_INVALID (413) */
export async function smallBody(request: Request, limit: number, what = 'A body'): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of request.body ?? []) {
    size += chunk.byteLength
    if (size > limit) throw new RegistryError('SIZE_INVALID', `${what} here has at most ${limit} bytes.`, undefined, { status: 413 })
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

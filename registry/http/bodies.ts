import { RegistryError } from '../spec/errors.ts'
import { MANIFEST_LIMIT, manifestTooLarge } from '../spec/manifests.ts'

/**
 * The whole body of a manifest, which is counted whatever its length says.
 * @throws RegistryError SIZE_INVALID (413), MANIFEST_INVALID when it breaks off
 */
export async function manifestBody(request: Request): Promise<Uint8Array> {
  const declared = contentLength(request)
  if (declared !== undefined && declared > MANIFEST_LIMIT) throw manifestTooLarge(declared)
  try {
    if (declared !== undefined) return new Uint8Array(await request.arrayBuffer())
    return await collect(request.body, MANIFEST_LIMIT, () => manifestTooLarge())
  } catch (error) {
    if (error instanceof RegistryError) throw error
    throw new RegistryError('MANIFEST_INVALID', 'The body broke off before its end.', undefined, { cause: error })
  }
}

/** A body of at most `limit` bytes, which are counted. @throws RegistryError what `tooLarge` makes, SIZE_INVALID when it breaks off */
export async function boundedBody(request: Request, limit: number, tooLarge: () => RegistryError): Promise<Uint8Array> {
  try {
    return await collect(request.body, limit, tooLarge)
  } catch (error) {
    if (error instanceof RegistryError) throw error
    throw new RegistryError('SIZE_INVALID', 'The body broke off before its end.', undefined, { cause: error })
  }
}

/** undefined: none, or nothing that is a length. @throws RegistryError SIZE_INVALID when it is no number of bytes */
export function contentLength(request: Request): number | undefined {
  const header = request.headers.get('Content-Length')
  if (header === null) return undefined
  if (!/^\d{1,15}$/.test(header)) throw new RegistryError('SIZE_INVALID', 'Content-Length is a number of bytes.')
  return Number(header)
}

async function collect(body: ReadableStream<Uint8Array> | null, limit: number, tooLarge: () => RegistryError): Promise<Uint8Array> {
  if (body === null) return new Uint8Array(0)
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of body) {
    size += chunk.byteLength
    if (size > limit) throw tooLarge()
    chunks.push(chunk)
  }
  const bytes = new Uint8Array(size)
  let offset = 0
  for (const chunk of chunks) {
    bytes.set(chunk, offset)
    offset += chunk.byteLength
  }
  return bytes
}

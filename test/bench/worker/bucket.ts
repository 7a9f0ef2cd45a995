import { createReadStream, createWriteStream } from 'node:fs'
import { mkdtemp, readdir, rename, rm, stat, writeFile } from 'node:fs/promises'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'

/** What workerd asks of the service behind an R2 binding, as far as stores/r2-object-store.ts makes it ask. */
type Question =
  | { readonly method: 'head' | 'get'; readonly object: string; readonly range?: { readonly offset: string; readonly length: string } }
  | { readonly method: 'put'; readonly object: string; readonly onlyIf?: object }
  | { readonly method: 'delete'; readonly object?: string; readonly objects?: readonly string[] }
  | { readonly method: 'list'; readonly prefix?: string; readonly limit?: number; readonly startAfter?: string }

const NO_SUCH_KEY = 10007
const PRECONDITION_FAILED = 10031
const READ = 256 * 1024

/** A bucket in a folder, behind the requests that workerd makes of an R2 binding: in this process, so that workerd holds the Worker and nothing else. */
export async function startBucket(): Promise<AsyncDisposable & { readonly host: string }> {
  const folder = await mkdtemp(join(tmpdir(), 'atoll-bucket-'))
  const server = createServer((request, response) => {
    answer(folder, request, response).catch((error: unknown) => {
      if (!response.headersSent) response.writeHead(500)
      response.destroy(error instanceof Error ? error : undefined)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    host: `127.0.0.1:${port}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

async function answer(folder: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const question = await questionOf(request)
  switch (question.method) {
    case 'head':
    case 'get':
      return await give(folder, question, response)
    case 'put':
      return await take(folder, question, request, response)
    case 'delete':
      for (const key of question.objects ?? [question.object ?? '']) await rm(pathOf(folder, key), { force: true })
      response.end()
      return
    case 'list':
      return await list(folder, question, response)
  }
}

async function give(folder: string, { method, object, range }: Question & { method: 'head' | 'get' }, response: ServerResponse): Promise<void> {
  const size = await sizeOf(folder, object)
  if (size === undefined) return refuse(response, 404, NO_SUCH_KEY)
  const part = range && { offset: Number(range.offset), length: Number(range.length) }
  const metadata = { ...described(object, size), ...(part && { range: part }) }
  if (method === 'head') return tell(response, metadata)
  const { offset, length } = part ?? { offset: 0, length: size }
  const head = Buffer.from(JSON.stringify(metadata))
  response.writeHead(200, { 'cf-r2-metadata-size': head.length, 'content-length': head.length + length })
  response.write(head)
  if (length === 0) response.end()
  else await pipeline(createReadStream(pathOf(folder, object), { start: offset, end: offset + length - 1, highWaterMark: READ }), response)
}

async function take(
  folder: string,
  { object, onlyIf }: Question & { method: 'put' },
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const path = pathOf(folder, object)
  if (onlyIf === undefined) {
    const draft = join(folder, `.${crypto.randomUUID()}`)
    await pipeline(request, createWriteStream(draft))
    await rename(draft, path)
  } else {
    // The only condition we ever set: that there is no such object.
    if ((await sizeOf(folder, object)) !== undefined) return refuse(response, 412, PRECONDITION_FAILED)
    await writeFile(path, request, { flag: 'wx' })
  }
  tell(response, described(object, (await sizeOf(folder, object)) ?? 0))
}

async function list(folder: string, { prefix = '', limit = 1000, startAfter = '' }: Question & { method: 'list' }, response: ServerResponse) {
  const keys = (await readdir(folder))
    .filter((name) => !name.startsWith('.'))
    .map(decodeURIComponent)
    .filter((key) => key.startsWith(prefix) && key > startAfter)
    .sort()
  const objects = await Promise.all(keys.slice(0, limit).map(async (key) => described(key, (await sizeOf(folder, key)) ?? 0)))
  tell(response, { objects, truncated: keys.length > limit, delimitedPrefixes: [] })
}

/** In a header, or before the bytes of the object. */
async function questionOf(request: IncomingMessage): Promise<Question> {
  const header = request.headers['cf-r2-request']
  if (typeof header === 'string') return JSON.parse(header) as Question
  const size = Number(request.headers['cf-r2-metadata-size'])
  let bytes = Buffer.alloc(0)
  while (bytes.length < size) {
    const chunk: Buffer | null = request.read()
    if (chunk === null) await new Promise<void>((resolve) => request.once('readable', resolve))
    else bytes = Buffer.concat([bytes, chunk])
  }
  if (bytes.length > size) request.unshift(bytes.subarray(size))
  return JSON.parse(bytes.subarray(0, size).toString()) as Question
}

function pathOf(folder: string, key: string): string {
  return join(folder, encodeURIComponent(key))
}

async function sizeOf(folder: string, key: string): Promise<number | undefined> {
  try {
    return (await stat(pathOf(folder, key))).size
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
    throw error
  }
}

function described(key: string, size: number): object {
  return { name: key, version: '1', size, etag: '1', uploaded: 0, httpFields: {}, customFields: [], checksums: {} }
}

function tell(response: ServerResponse, metadata: object): void {
  const bytes = Buffer.from(JSON.stringify(metadata))
  response.writeHead(200, { 'cf-r2-metadata-size': bytes.length, 'content-length': bytes.length })
  response.end(bytes)
}

function refuse(response: ServerResponse, status: number, v4code: number): void {
  response.writeHead(status, { 'cf-r2-error': JSON.stringify({ message: 'refused', version: 1, v4code }) })
  response.end()
}

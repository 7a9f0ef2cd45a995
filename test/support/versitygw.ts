import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { requireTool } from './tools.ts'
import { until } from './until.ts'

export interface S3Server {
  readonly endpoint: string
  readonly bucket: string
  readonly region: string
  readonly accessKeyId: string
  readonly secretAccessKey: string
  /** Where it keeps what is in its buckets. */
  readonly directory: string
  /** It takes connections and answers none, until it goes on. */
  freeze(): void
  thaw(): void
  close(): Promise<void>
}

/** The S3 server that tests use, if it is here. */
export function s3Program(): string | undefined {
  return requireTool('versitygw', 'go install github.com/versity/versitygw/cmd/versitygw@latest')
}

/** Starts it over an empty folder, with one bucket. */
export async function startS3(program: string, secretAccessKey = 'test-secret'): Promise<S3Server> {
  const directory = await mkdtemp(join(tmpdir(), 'atoll-s3-'))
  const [accessKeyId, region, bucket] = ['test-access', 'us-east-1', 'atoll']
  await mkdir(join(directory, bucket))
  const port = await freePort()
  const child = spawn(program, ['--access', accessKeyId, '--secret', secretAccessKey, '--port', `127.0.0.1:${port}`, '--quiet', 'posix', directory], {
    stdio: 'ignore',
  })
  const endpoint = `http://127.0.0.1:${port}`
  await until('the S3 server answers', () =>
    fetch(endpoint).then(
      () => true,
      () => false,
    ),
  )
  return {
    endpoint,
    bucket,
    region,
    accessKeyId,
    secretAccessKey,
    directory,
    freeze: () => child.kill('SIGSTOP'),
    thaw: () => child.kill('SIGCONT'),
    async close() {
      const exited = once(child, 'exit')
      child.kill('SIGKILL')
      await exited
      await rm(directory, { recursive: true })
    },
  }
}

/** The environment of an edge that keeps its blobs there. */
export function edgeBucket({ endpoint, bucket, region, accessKeyId, secretAccessKey }: S3Server): Record<string, string> {
  return {
    ATOLL_EDGE_STORAGE_KIND: 's3',
    ATOLL_EDGE_STORAGE_S3_ENDPOINT: endpoint,
    ATOLL_EDGE_STORAGE_S3_BUCKET: bucket,
    ATOLL_EDGE_STORAGE_S3_REGION: region,
    ATOLL_EDGE_STORAGE_S3_ACCESS_KEY: accessKeyId,
    ATOLL_EDGE_STORAGE_S3_SECRET_KEY: secretAccessKey,
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  if (address === null || typeof address === 'string') throw new Error('no port')
  return address.port
}

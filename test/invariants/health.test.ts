import { rename } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type AtollProcess, startAtoll } from '../support/atoll.ts'
import { until } from '../support/until.ts'
import { type S3Server, s3Program, startS3 } from '../support/versitygw.ts'

const program = s3Program()

interface Health {
  readonly status: string
  readonly components: readonly { readonly name: string; readonly status: string; readonly error?: string }[]
}

async function health(origin: AtollProcess): Promise<Health> {
  return (await (await fetch(`http://${origin.origin}/api/v2.0/health`)).json()) as Health
}

const sick = ({ components }: Health) =>
  components
    .filter(({ status }) => status !== 'healthy')
    .map(({ name }) => name)
    .sort()

describe.skipIf(program === undefined)('health tells the truth', () => {
  let bucket: S3Server
  let origin: AtollProcess
  let database: string

  beforeAll(async () => {
    bucket = await startS3(program ?? '')
    origin = await startAtoll({
      role: 'origin',
      env: {
        ATOLL_STORAGE_SERVICE_KIND: 's3',
        ATOLL_STORAGE_SERVICE_S3_ENDPOINT: bucket.endpoint,
        ATOLL_STORAGE_SERVICE_S3_BUCKET: bucket.bucket,
        ATOLL_STORAGE_SERVICE_S3_ACCESS_KEY: bucket.accessKeyId,
        ATOLL_STORAGE_SERVICE_S3_SECRET_KEY: bucket.secretAccessKey,
      },
    })
    database = `${origin.data}/data/atoll.db`
  }, 60_000)
  afterAll(async () => {
    await origin?.[Symbol.asyncDispose]()
    await bucket?.close()
  }, 60_000)

  it('when all is well, when the bucket refuses to be written, and when it is well again', { timeout: 90_000 }, async () => {
    const well = await health(origin)
    expect(well.status).toBe('healthy')
    expect(well.components.map(({ name }) => name).sort()).toEqual(['core', 'database', 'jobservice', 'portal', 'redis', 'registry', 'registryctl'])
    const folder = `${bucket.directory}/${bucket.bucket}`
    await rename(folder, `${folder}-away`)
    await until('the store is not well', async () => sick(await health(origin)).join() === 'registry,registryctl')
    const said = await health(origin)
    expect(said.status).toBe('unhealthy')
    expect(said.components.find(({ name }) => name === 'registry')?.error).toMatch(/the log says why/)
    expect((await fetch(`http://${origin.origin}/readyz`)).status).toBe(503)
    expect((await fetch(`http://${origin.origin}/livez`)).status).toBe(200)
    await rename(`${folder}-away`, folder)
    await until('it is well again', async () => (await health(origin)).status === 'healthy')
    expect((await fetch(`http://${origin.origin}/readyz`)).status).toBe(200)
  })

  it('when another process holds the database', { timeout: 90_000 }, async () => {
    const { createClient } = await import('@libsql/client')
    const client = createClient({ url: `file:${database}` })
    const transaction = await client.transaction('write')
    try {
      await until('the database is not well', async () => sick(await health(origin)).join() === 'database,redis')
      expect((await fetch(`http://${origin.origin}/readyz`)).status).toBe(503)
    } finally {
      await transaction.rollback()
      client.close()
    }
    await until('it is well again', async () => (await health(origin)).status === 'healthy')
  })
})

import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setImmediate } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { expect, it } from 'vitest'
import { createHasher } from '../../stores/hasher.ts'
import { systemClock } from '../clock.ts'
import { parseDigest } from '../spec/digests.ts'
import { parseRepositoryName } from '../spec/names.ts'
import { RemoteRegistry } from './index.ts'

it('gives the whole of an answer that nobody reads yet when garbage is collected', async () => {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  const body = Buffer.alloc(2_000_000, 'layer')
  const hasher = createHasher('sha256')
  hasher.update(body)
  const digest = parseDigest(hasher.digest())
  const server = createServer((_request, response) => response.writeHead(200, { 'content-length': body.length }).end(body))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  try {
    const url = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
    const registry = new RemoteRegistry({ url, fetch, clock: systemClock })
    const found = await registry.with().repository(parseRepositoryName('library/app')).blobs.open(digest)
    for (let round = 0; round < 20; round++) {
      collect()
      await setImmediate()
    }
    expect(Buffer.from(await new Response(found?.stream).arrayBuffer()).equals(body)).toBe(true)
  } finally {
    server.closeAllConnections()
    server.close()
  }
})

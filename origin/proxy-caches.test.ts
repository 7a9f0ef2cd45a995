import { expect, it } from 'vitest'
import { OddRegistry } from '../test/support/odd-registry.ts'
import { openTestOrigin, PASSWORD } from './testing/origin.ts'

it('a proxy cache at the origin believes a tag for as long as its project says', async () => {
  await using upstream = await OddRegistry.start([1_000])
  const origin = await openTestOrigin()
  const ask = (method: string, path: string, json?: object) => origin.ask(method, path, { credentials: `admin:${PASSWORD}`, ...(json && { json }) })
  try {
    const made = await ask('POST', '/api/v2.0/registries', { name: 'odd', type: 'docker-registry', url: upstream.url.origin, insecure: true })
    const id = Number(made.headers.get('location')?.split('/').at(-1))
    await ask('POST', '/api/v2.0/projects', { project_name: 'odd', public: true, registry_id: id })
    await ask('PUT', '/api/atoll/v1/projects/odd/tag-leases', { rules: 'other=1s, lat*=5h' })
    const pull = async () => (await ask('HEAD', '/v2/odd/team/app/manifests/latest')).headers.get('docker-content-digest')
    const first = upstream.image.manifest.digest
    expect(await pull()).toBe(first)
    upstream.move()
    origin.clock.ahead = 4 * 3_600_000
    expect([await pull(), upstream.lines]).toEqual([first, ['GET /v2/team/app/manifests/latest']])
  } finally {
    await origin.close()
  }
})

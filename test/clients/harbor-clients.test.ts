import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ADMIN_PASSWORD, type AtollProcess, startAtoll } from '../support/atoll.ts'
import { pushImage, randomImage } from '../support/images.ts'
import { requireFile } from '../support/tools.ts'

// Harbor's clients for Python, unchanged, against a live origin.

const python = requireFile(
  process.env.ATOLL_TEST_PYTHON ?? join(homedir(), '.cache/atoll-tests/python/bin/python'),
  'python3 -m venv ~/.cache/atoll-tests/python && ~/.cache/atoll-tests/python/bin/pip install harborapi==0.26.2 harbor-api-client==2.12.2',
)

describe.skipIf(python === undefined)('Harbor’s clients for Python', () => {
  let atoll: AtollProcess

  beforeAll(async () => {
    atoll = await startAtoll()
    const authorization = `Basic ${Buffer.from(`admin:${ADMIN_PASSWORD}`).toString('base64')}`
    await pushImage({ url: new URL(`http://${atoll.origin}`), repository: 'library/app', headers: { authorization } }, randomImage(), '1.0.0')
  }, 60_000)
  afterAll(async () => {
    await atoll?.[Symbol.asyncDispose]()
  })

  test.each(['harborapi_walk.py', 'harbor_client_walk.py'])('%s', { timeout: 120_000 }, async (script) => {
    const path = fileURLToPath(new URL(`./python/${script}`, import.meta.url))
    const walk = spawn(python ?? '', [path, `http://${atoll.origin}`, 'admin', ADMIN_PASSWORD], { stdio: ['ignore', 'pipe', 'pipe'] })
    let said = ''
    for (const stream of [walk.stdout, walk.stderr]) {
      stream.on('data', (chunk: Buffer) => {
        said += chunk.toString()
      })
    }
    const [code] = (await once(walk, 'close')) as [number]
    const failures = said.split('\n').filter((line) => line.startsWith('FAIL'))
    expect({ failures, code, said: code === 0 ? '' : said.slice(-2_000) }).toEqual({ failures: [], code: 0, said: '' })
    expect(said).toMatch(/\d+ calls, 0 failed/)
  })
})

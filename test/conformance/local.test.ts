import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type BareRegistry, bareRegistry } from '../support/bare-registry.ts'
import { findSuite, runConformance, SUITE_MISSING } from './run.ts'

const SUITE_TIMEOUT_MS = 600_000
const suite = await findSuite()
if (suite === undefined) process.stderr.write(`Left out: conformance. ${SUITE_MISSING}\n`)

/** The suite has some 830 tests; far fewer would mean that it did not run. */
const TESTS_AT_LEAST = 800

describe.skipIf(suite === undefined)('a local registry behind the /v2 routes', () => {
  let bare: BareRegistry
  beforeAll(async () => {
    bare = await bareRegistry({ projects: ['conformance'] })
  })
  afterAll(() => bare[Symbol.asyncDispose]())

  it(
    'conforms to the OCI distribution specification with everything optional switched on',
    async () => {
      const result = await runConformance({ registry: bare.server.url, repo1: 'conformance/repo1', repo2: 'conformance/repo2' })
      process.stdout.write(`conformance of the local registry: ${result.passed} passed, ${result.failed} failed, ${result.skipped} skipped\n`)
      expect(result.failures).toEqual([])
      expect(result.skips).toEqual([])
      expect(result.passed).toBeGreaterThan(TESTS_AT_LEAST)
      expect(bare.log.entries.filter(({ level }) => level === 'error')).toEqual([])
    },
    SUITE_TIMEOUT_MS,
  )
})

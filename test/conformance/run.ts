import { access, mkdir, mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { must, run } from '../support/run.ts'

/** The suite's source, where it is kept beside the checkout. */
const SOURCE = fileURLToPath(new URL('../../../shared/tools/oci-conformance', import.meta.url))
const BINARY = 'oci-conformance'
const BUILD_DEADLINE_MS = 300_000
const SUITE_DEADLINE_MS = 300_000

/** Every test that the suite has, those of the specification's development head too. */
export const EVERYTHING: Readonly<Record<string, string>> = {
  OCI_VERSION: 'dev',
  OCI_API_PULL: 'true',
  OCI_API_PUSH: 'true',
  OCI_API_BLOBS_ATOMIC: 'true',
  OCI_API_BLOBS_DELETE: 'true',
  OCI_API_BLOBS_DIGEST_HEADER: 'true',
  OCI_API_BLOBS_MOUNT_ANONYMOUS: 'true',
  OCI_API_BLOBS_UPLOAD_CANCEL: 'true',
  OCI_API_MANIFESTS_ATOMIC: 'true',
  OCI_API_MANIFESTS_DELETE: 'true',
  OCI_API_MANIFESTS_DIGEST_HEADER: 'true',
  OCI_API_MANIFESTS_TAG_PARAM: 'true',
  OCI_API_TAGS_ATOMIC: 'true',
  OCI_API_TAGS_DELETE: 'true',
  OCI_API_TAGS_LIST: 'true',
  OCI_API_REFERRER: 'true',
  OCI_DATA_IMAGE: 'true',
  OCI_DATA_INDEX: 'true',
  OCI_DATA_INDEX_LIST: 'true',
  OCI_DATA_SPARSE: 'true',
  OCI_DATA_ARTIFACT: 'true',
  OCI_DATA_SUBJECT: 'true',
  OCI_DATA_SUBJECT_MISSING: 'true',
  OCI_DATA_ARTIFACT_LIST: 'true',
  OCI_DATA_SUBJECT_LIST: 'true',
  OCI_DATA_DATA_FIELD: 'true',
  OCI_DATA_NONDISTRIBUTABLE: 'true',
  OCI_DATA_CUSTOM_FIELDS: 'true',
  OCI_DATA_NO_LAYERS: 'true',
  OCI_DATA_EMPTY_BLOB: 'true',
  OCI_DATA_SHA512: 'true',
}

export interface ReadOnlyData {
  readonly tags: readonly string[]
  readonly manifests: readonly string[]
  readonly blobs: readonly string[]
  readonly referrers: readonly string[]
}

/** What changes for a registry that takes no pushes and holds these already, all in its first repository. */
export function readOnly(data: ReadOnlyData): Readonly<Record<string, string>> {
  return {
    OCI_API_PUSH: 'false',
    OCI_API_BLOBS_DELETE: 'false',
    OCI_API_MANIFESTS_DELETE: 'false',
    OCI_API_TAGS_DELETE: 'false',
    // Of content that it did not make, the suite looks for these headers on an answer that it has not kept.
    OCI_API_BLOBS_DIGEST_HEADER: 'false',
    OCI_API_MANIFESTS_DIGEST_HEADER: 'false',
    OCI_RO_DATA_TAGS: data.tags.join(' '),
    OCI_RO_DATA_MANIFESTS: data.manifests.join(' '),
    OCI_RO_DATA_BLOBS: data.blobs.join(' '),
    OCI_RO_DATA_REFERRERS: data.referrers.join(' '),
  }
}

export interface ConformanceTarget {
  /** `http://host:port` or `https://…`. */
  readonly registry: string
  readonly repo1: string
  readonly repo2: string
  readonly username?: string
  readonly password?: string
  /** Settings of the suite by the names of their variables; added to EVERYTHING. */
  readonly options?: Readonly<Record<string, string>>
}

export interface ConformanceResult {
  readonly passed: number
  readonly failed: number
  readonly skipped: number
  /** Which, and what the suite says of each. */
  readonly failures: readonly string[]
  readonly skips: readonly string[]
}

/** The suite's program: from the PATH, or built from its source, once. undefined: there is neither, or no Go to build it with. */
export async function findSuite(): Promise<string | undefined> {
  for (const directory of (process.env.PATH ?? '').split(delimiter)) {
    if (await exists(join(directory, BINARY))) return join(directory, BINARY)
  }
  if (!(await exists(SOURCE)) || (await run('go', ['version']).catch(() => undefined))?.code !== 0) return undefined
  const cache = join(tmpdir(), 'atoll-tools')
  const built = join(cache, BINARY)
  if (await exists(built)) return built
  await mkdir(cache, { recursive: true })
  const goCache = join(cache, 'go-build')
  const { HOME = cache } = process.env
  await must('go', ['build', '-o', built, '.'], { cwd: SOURCE, env: { HOME, GOCACHE: goCache }, deadlineMs: BUILD_DEADLINE_MS })
  return built
}

export const SUITE_MISSING = `The OCI conformance suite is missing: put \`${BINARY}\` on the PATH (go install github.com/opencontainers/distribution-spec/conformance@main, under this name).`

/** Runs the suite. @throws when it is not there or ends without results */
export async function runConformance(target: ConformanceTarget): Promise<ConformanceResult> {
  const suite = await findSuite()
  if (suite === undefined) throw new Error(SUITE_MISSING)
  const url = new URL(target.registry)
  const results = await mkdtemp(join(tmpdir(), 'atoll-conformance-'))
  try {
    const outcome = await run(suite, [], {
      cwd: results,
      deadlineMs: SUITE_DEADLINE_MS,
      env: {
        ...EVERYTHING,
        OCI_RESULTS_DIR: results,
        OCI_REGISTRY: url.host,
        OCI_TLS: url.protocol === 'https:' ? 'insecure' : 'disabled',
        OCI_REPO1: target.repo1,
        OCI_REPO2: target.repo2,
        ...(target.username !== undefined && { OCI_USERNAME: target.username }),
        ...(target.password !== undefined && { OCI_PASSWORD: target.password }),
        ...target.options,
      },
    })
    const report = await readFile(join(results, 'junit.xml'), 'utf8').catch(() => undefined)
    if (report !== undefined) return read(report)
    // Without pushes the suite breaks off before it writes its reports; by then it has printed them.
    const printed = readPrinted(outcome.stdout)
    if (printed.passed + printed.failed > 0) return printed
    throw new Error(`The suite ended with ${outcome.code} and without results:\n${outcome.stdout}\n${outcome.stderr}`)
  } finally {
    await rm(results, { recursive: true, force: true })
  }
}

/** The suite's JUnit report. Every `testcase` has a status; the text of a failure is in its message and output. */
function read(report: string): ConformanceResult {
  const counts = { passed: 0, failed: 0, skipped: 0 }
  const failures: string[] = []
  const skips: string[] = []
  for (const [, attributes = '', rest = ''] of report.matchAll(/<testcase\b([^>]*)>([\s\S]*?)<\/testcase>/g)) {
    const attribute = (name: string) => attributes.match(new RegExp(`\\b${name}="([^"]*)"`))?.[1] ?? ''
    const title = `${attribute('classname')}/${attribute('name')}`
    const said = rest.match(/<(?:failure|error|skipped)[^>]*message="([^"]*)"/)?.[1] ?? ''
    switch (attribute('status')) {
      case 'passed':
        counts.passed++
        break
      case 'skipped':
      case 'disabled':
        counts.skipped++
        skips.push(`${title}: ${said}`)
        break
      default:
        counts.failed++
        failures.push(`${title}: ${said}\n${rest.slice(0, 4000)}`)
    }
  }
  return { ...counts, failures, skips }
}

/** What the suite prints: a line for each test. What was switched off is none. */
function readPrinted(output: string): ConformanceResult {
  const tests = [...output.matchAll(/^ +(OCI Conformance Test\/.+): (Pass|Skip|FAIL|Error|Unknown)$/gm)]
  const withStatus = (...statuses: string[]) => tests.filter(([, , status = '']) => statuses.includes(status)).map(([line]) => line.trim())
  const failures = withStatus('FAIL', 'Error', 'Unknown')
  const skips = withStatus('Skip')
  return { passed: withStatus('Pass').length, failed: failures.length, skipped: skips.length, failures, skips }
}

function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  )
}

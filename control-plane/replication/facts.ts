import { z } from 'zod'
import type { Clock } from '../../registry/clock.ts'
import type { Registry } from '../../registry/registry.ts'
import { unreachable, upstreamError } from '../../registry/remote/errors.ts'
import type { Credentials } from '../../registry/remote/index.ts'
import { RegistryError } from '../../registry/spec/errors.ts'
import { parseManifest } from '../../registry/spec/manifests.ts'
import { DOCKER_CONFIG, DOCKER_LIST, HELM_CONFIG, OCI_CONFIG, OCI_INDEX } from '../../registry/spec/media-types.ts'
import { type Reference, type RepositoryName, referenceText, splitProject } from '../../registry/spec/names.ts'
import { findArtifact } from '../../schema/artifacts.ts'
import type { Database } from '../../schema/database.ts'
import { labelsOf } from '../../schema/labels.ts'
import { FACTS_TIME_MS } from '../limits.ts'

/** What filters ask of an artifact beyond its name. */
export interface ArtifactFacts {
  readonly kind: 'image' | 'chart' | 'other'
  /** The names of the labels it carries. */
  readonly labels: ReadonlySet<string>
}

/** undefined: there is no such artifact. */
export type FactsOf = (name: RepositoryName, reference: Reference, signal: AbortSignal) => Promise<ArtifactFacts | undefined>

/** Of artifacts of this registry. */
export function localFacts(db: Database): FactsOf {
  return async (name, reference) => {
    const artifact = await findArtifact(db, name, reference)
    if (artifact === undefined) return undefined
    const labels = (await labelsOf(db, [artifact.id])).get(artifact.id) ?? []
    return { kind: kindOf(artifact), labels: new Set(labels.map(({ name }) => name)) }
  }
}

/** Of artifacts of any registry: the kind, by the manifest. Labels it has none, and a rule that asks for them is told so. */
export function manifestFacts(open: (signal: AbortSignal) => Registry, site: string): FactsOf {
  return async (name, reference, signal) => {
    const manifest = await open(signal).repository(name).manifests.get(reference)
    if (manifest === undefined) return undefined
    const { mediaType, artifactType, blobs } = parseManifest(manifest.bytes, manifest.descriptor.mediaType)
    const kind = kindOf({ mediaType, artifactType: artifactType ?? null, configMediaType: blobs[0]?.mediaType ?? null })
    return {
      kind,
      get labels(): ReadonlySet<string> {
        throw new RegistryError(
          'UNSUPPORTED',
          `${site} has no labels to filter by: only Harbor and Atoll have. Take the label filter out of the rule.`,
        )
      },
    }
  }
}

const HarborArtifact = z.object({
  type: z.string(),
  labels: z.array(z.object({ name: z.string() })).nullish(),
})

/** Of artifacts of a Harbor or an Atoll, by its API. */
export function harborFacts(options: {
  readonly url: URL
  readonly fetch: typeof fetch
  readonly credentials: Credentials | undefined
  readonly clock: Clock
}): FactsOf {
  const { url, fetch, credentials, clock } = options
  return async (name, reference, signal) => {
    const address = new URL(pathOf(name, reference), url)
    const headers: Record<string, string> = { accept: 'application/json' }
    if (credentials) headers.authorization = `Basic ${Buffer.from(`${credentials.username}:${credentials.password}`).toString('base64')}`
    const limited = AbortSignal.any([signal, AbortSignal.timeout(FACTS_TIME_MS)])
    let answer: Response
    let text: string
    try {
      answer = await fetch(address, { headers, redirect: 'manual', signal: limited })
      text = await answer.text()
    } catch (error) {
      signal.throwIfAborted()
      throw unreachable(url, error)
    }
    if (answer.status === 404) return undefined
    if (!answer.ok) throw upstreamError({ status: answer.status, headers: answer.headers, url, now: clock.now() }, text, `the labels of ${name}`)
    const parsed = HarborArtifact.safeParse(parsedOrUndefined(text))
    if (!parsed.success) throw new RegistryError('UPSTREAM_INVALID', `${url.host} does not say of ${name} what Harbor's API says of an artifact.`)
    const { type, labels } = parsed.data
    const kind = type === 'IMAGE' ? 'image' : type === 'CHART' ? 'chart' : 'other'
    return { kind, labels: new Set((labels ?? []).map(({ name }) => name)) }
  }
}

/** The API takes a repository's name as one component, encoded twice. */
function pathOf(name: RepositoryName, reference: Reference): string {
  const { project, rest } = splitProject(name)
  const repository = encodeURIComponent(encodeURIComponent(rest))
  return `/api/v2.0/projects/${project}/repositories/${repository}/artifacts/${referenceText(reference)}?with_label=true`
}

function parsedOrUndefined(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

interface Types {
  readonly mediaType: string
  readonly artifactType: string | null
  readonly configMediaType: string | null
}

function kindOf({ mediaType, artifactType, configMediaType }: Types): ArtifactFacts['kind'] {
  if (mediaType === DOCKER_LIST || (mediaType === OCI_INDEX && artifactType === null)) return 'image'
  if (configMediaType === OCI_CONFIG || configMediaType === DOCKER_CONFIG) return 'image'
  return configMediaType === HELM_CONFIG ? 'chart' : 'other'
}

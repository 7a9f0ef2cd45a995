import { createRoute, z } from '@hono/zod-openapi'
import { parse, YAMLParseError } from 'yaml'
import { parseManifest } from '../../registry/spec/manifests.ts'
import type { RepositoryName } from '../../registry/spec/names.ts'
import { contentsOf } from '../../schema/artifact-parts.ts'
import type { Artifact } from '../../schema/artifacts.ts'
import { refusals } from './answers.ts'
import { historyOf, readBlob } from './artifact-blobs.ts'
import { kindOf } from './artifact-kinds.ts'
import { ARTIFACT, artifactAt, inArtifact } from './artifact-lookup.ts'
import { type ApiParts, plainText, routes } from './environment.ts'
import { ApiError, notFound } from './errors.ts'
import { CHART_LIMIT, CONFIG_LIMIT } from './limits.ts'
import { repositoryIn } from './repository.ts'

const tags = ['artifact']
const CHART_LAYER = 'application/vnd.cncf.helm.chart.content.v1.tar+gzip'

interface Addition {
  readonly contentType: string
  readonly text: string
}

/** What can be read inside an artifact: how an image was built, what a chart says of itself. */
export const additions = ({ services, guard }: ApiParts) => {
  const { db } = services
  const answer = { description: 'The addition.', content: { 'text/plain': { schema: z.string() } } }

  const get = createRoute({
    method: 'get',
    path: `${ARTIFACT}/additions/{addition}`,
    tags,
    operationId: 'getAddition',
    summary: 'Something from inside an artifact',
    middleware: guard.project('artifact-addition', 'read'),
    request: { params: inArtifact.extend({ addition: z.string().max(64) }) },
    responses: { 200: answer, ...refusals(400, 401, 403, 404) },
  })

  const vulnerabilities = createRoute({
    method: 'get',
    path: `${ARTIFACT}/additions/vulnerabilities`,
    tags,
    operationId: 'getVulnerabilitiesAddition',
    summary: 'The reports of scans, by the media type of each; empty without a scan',
    middleware: guard.project('artifact-addition', 'read'),
    request: { params: inArtifact },
    responses: {
      200: { description: 'The reports.', content: { 'application/json': { schema: z.record(z.string(), z.unknown()) } } },
      ...refusals(400, 401, 403, 404),
    },
  })

  /** The blob of one place of a manifest, whole. @throws ApiError NOT_FOUND */
  const blobOf = async (row: Artifact, name: RepositoryName, isWanted: (mediaType: string, at: number) => boolean, limit: number) => {
    const bytes = (await contentsOf(db, [row.digest])).get(row.digest)
    const blob = bytes && parseManifest(bytes, row.mediaType).blobs.find(({ mediaType }, at) => isWanted(mediaType, at))
    const found = blob && (await readBlob(services.registry.repository(name).blobs, blob.digest, limit))
    if (found === undefined) throw notFound(`the content of ${name}@${row.digest}, or it is too large to show: it`)
    return found
  }

  const chart = async (row: Artifact, name: RepositoryName, files: readonly string[]): Promise<string | undefined> => {
    const { BadChart, chartFile } = await import('./chart-files.ts')
    try {
      return await chartFile(await blobOf(row, name, (mediaType) => mediaType === CHART_LAYER, CHART_LIMIT), files)
    } catch (error) {
      if (error instanceof BadChart) throw new ApiError('BAD_REQUEST', error.message, { cause: error })
      throw error
    }
  }

  const read = async (row: Artifact, name: RepositoryName, addition: string): Promise<Addition | undefined> => {
    if (!kindOf(row).additions.includes(addition)) return undefined
    switch (addition) {
      case 'build_history': {
        const history = historyOf(await blobOf(row, name, (_, at) => at === 0, CONFIG_LIMIT))
        return { contentType: 'application/json; charset=utf-8', text: JSON.stringify(history ?? []) }
      }
      case 'values.yaml':
        return textOf('text/plain; charset=utf-8', await chart(row, name, ['values.yaml']))
      case 'readme.md':
        return textOf('text/markdown; charset=utf-8', await chart(row, name, ['readme.md']))
      case 'dependencies': {
        const own = dependenciesIn(await chart(row, name, ['chart.yaml']))
        // Charts of the first generation have a file of their own for them.
        const dependencies = own ?? dependenciesIn(await chart(row, name, ['requirements.yaml'])) ?? []
        return { contentType: 'application/json; charset=utf-8', text: JSON.stringify(dependencies) }
      }
    }
    return undefined
  }

  return (
    routes()
      // Before the route that would take its name for any other.
      .openapi(vulnerabilities, async (c) => {
        const { repository_name, reference } = c.req.valid('param')
        await artifactAt(db, repositoryIn(c.var.project, repository_name), reference)
        return c.json({}, 200)
      })
      .openapi(get, async (c) => {
        const { repository_name, reference, addition } = c.req.valid('param')
        const name = repositoryIn(c.var.project, repository_name)
        const row = await artifactAt(db, name, reference)
        const found = await read(row, name, addition)
        if (found === undefined) throw notFound(`${addition} of this artifact (${kindOf(row).name})`)
        return plainText(c, found.text, found.contentType)
      })
  )
}

const textOf = (contentType: string, text: string | undefined): Addition | undefined => (text === undefined ? undefined : { contentType, text })

/** undefined: the file names none. */
function dependenciesIn(text: string | undefined): { name: string; version: string; repository: string }[] | undefined {
  if (text === undefined) return undefined
  let document: unknown
  try {
    document = parse(text, { maxAliasCount: 100 })
  } catch (error) {
    if (error instanceof YAMLParseError || error instanceof ReferenceError)
      throw new ApiError('BAD_REQUEST', 'The chart’s own description is no YAML.', { cause: error })
    throw error
  }
  const { dependencies } = isObject(document) ? document : {}
  if (!Array.isArray(dependencies)) return undefined
  return dependencies.filter(isObject).map((each) => ({
    name: String(each.name ?? ''),
    version: String(each.version ?? ''),
    repository: String(each.repository ?? ''),
  }))
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

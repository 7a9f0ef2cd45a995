import { z } from '@hono/zod-openapi'
import { isDigest } from '../../registry/spec/digests.ts'
import { isTag, parseReference, type RepositoryName } from '../../registry/spec/names.ts'
import { type Artifact, findArtifact } from '../../schema/artifacts.ts'
import type { Database } from '../../schema/database.ts'
import { BASE_PATH } from './environment.ts'
import { notFound } from './errors.ts'

// How routes name an artifact.

export const REPOSITORY = '/projects/{project_name}/repositories/{repository_name}'
export const ARTIFACT = `${REPOSITORY}/artifacts/{reference}` as const
export const inRepository = z.object({ project_name: z.string().max(255), repository_name: z.string().max(1024) })
export const inArtifact = inRepository.extend({ reference: z.string().max(256) })

/** By tag or digest. @throws ApiError NOT_FOUND, also for what can name nothing */
export async function artifactAt(db: Database, name: RepositoryName, text: string): Promise<Artifact> {
  const row = isDigest(text) || isTag(text) ? await findArtifact(db, name, parseReference(text)) : undefined
  if (row === undefined) throw notFound(`artifact ${name}:${text}`)
  return row
}

/** Where the API has an artifact. Slashes in the name of a repository are encoded twice there. */
export function artifactPath(name: RepositoryName, digest: string): string {
  const slash = name.indexOf('/')
  const repository = encodeURIComponent(encodeURIComponent(name.slice(slash + 1)))
  return `/projects/${name.slice(0, slash)}/repositories/${repository}/artifacts/${digest}`
}

export const additionLink = (name: RepositoryName, digest: string, addition: string) => ({
  absolute: false,
  href: `${BASE_PATH}${artifactPath(name, digest)}/additions/${addition}`,
})

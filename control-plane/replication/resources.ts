import { isRepositoryName, isTag, type RepositoryName, type Tag } from '../../registry/spec/names.ts'

/** Some tags of a repository, as tasks name them: `team/app:[v1,v2]`. */
export interface Resource {
  readonly repository: RepositoryName
  readonly tags: readonly Tag[]
}

export function resourceText({ repository, tags }: Resource): string {
  return `${repository}:[${tags.join(',')}]`
}

/** undefined: it is none. */
export function readResource(text: string): Resource | undefined {
  const [, repository = '', list = ''] = text.match(/^(.*):\[(.*)\]$/) ?? []
  const tags = list.split(',')
  return isRepositoryName(repository) && tags.every(isTag) ? { repository, tags } : undefined
}

import { parseRepositoryName, type RepositoryName } from '../../registry/spec/names.ts'

/**
 * What a repository is called at the destination. `replaceCount` leading components give way to the namespace; -1 stands for all but
 * the last, which always stays. Without a namespace the name is the same.
 * `a/b/c` into `x`: `x/c` (-1), `x/a/b/c` (0), `x/b/c` (1), `x/c` (2 and more).
 * @throws RegistryError NAME_INVALID
 */
export function destinationName(name: RepositoryName, namespace: string, replaceCount: number): RepositoryName {
  if (namespace === '') return name
  const parts = name.split('/')
  const replaced = replaceCount < 0 ? parts.length - 1 : Math.min(replaceCount, parts.length - 1)
  return parseRepositoryName([namespace, ...parts.slice(replaced)].join('/'))
}

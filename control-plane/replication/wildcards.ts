import { matchesPath } from '../../policy/globs.ts'

/** A pattern of literals, `?`, `*` (within a component) and `**` (any number of components). undefined: there is more in it. */
export function wildcards(pattern: string): ((text: string) => boolean) | undefined {
  return /[[\](){}!+@\\]/.test(pattern) ? undefined : (text) => matchesPath(pattern, text)
}

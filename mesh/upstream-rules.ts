// Upstream rules under /v2: the same at the origin and at edges, wherever the facts come from.

import { judgeContent, judgeName, looksInside, type UpstreamRules, type Verdict } from '../policy/upstream-rules.ts'
import { vendorOf } from '../registry/remote/vendors/index.ts'
import type { RepositoryRules } from '../registry/rules/ruled.ts'
import { RegistryError } from '../registry/spec/errors.ts'
import { isRepositoryName, type RepositoryName, referenceText, splitProject } from '../registry/spec/names.ts'

export interface RuledProject {
  readonly rules: UpstreamRules
  /** Harbor's name for the kind of upstream. */
  readonly kind: string
}

/** The rules of a proxy cache for one of its repositories. `now` is milliseconds since the epoch. */
export function repositoryRules(name: RepositoryName, { rules, kind }: RuledProject, now: () => number): RepositoryRules {
  const { project, rest } = splitProject(name)
  const repository = isRepositoryName(rest) ? vendorOf(kind).repository(rest) : rest
  const enforce = (verdict: Verdict, what: string) => {
    if (verdict.allow) return
    const message = `${project} does not serve ${what}: ${verdict.reason} (rule of the project: ${verdict.rule}).`
    throw new RegistryError('DENIED', message, { project, rule: verdict.rule })
  }
  return {
    name: (reference) => {
      const asked = { repository, tag: reference?.tag, digest: reference?.digest }
      const mark = reference?.tag === undefined ? '@' : ':'
      enforce(judgeName(rules, asked), reference === undefined ? repository : `${repository}${mark}${referenceText(reference)}`)
    },
    looksInside: (digest) => looksInside(rules, digest),
    content: (artifact) => enforce(judgeContent(rules, artifact, now()), `${repository}@${artifact.digest}`),
  }
}

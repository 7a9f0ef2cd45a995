import type { PolicyDocument, ProjectDocument } from '../mesh/documents.ts'

/**
 * What a document may be used for by its age. `trusted`: for everything that it says. `public`: its grace is over, and its project lets
 * everybody go on with what is public. `over`: for nothing.
 */
export type Standing = 'trusted' | 'public' | 'over'

/** `age`: milliseconds since the origin confirmed it. `grace`: what the administrator of this edge allows; a project may allow less, never more. */
export function standingOf(document: PolicyDocument | undefined, age: number, grace: number): Standing {
  // It gives nobody a right: what it names is decided by the documents of the projects.
  if (document?.type === 'mirrors') return 'trusted'
  if (document?.type !== 'project') return age <= grace ? 'trusted' : 'over'
  if (age <= Math.min(grace, document.grace?.ms ?? grace)) return 'trusted'
  return document.grace?.publicAfterwards && document.facts.public ? 'public' : 'over'
}

/** For decisions after the grace: they refuse everything but what is public. */
export function lapsed(document: ProjectDocument): ProjectDocument {
  return { ...document, facts: { ...document.facts, lapsed: true } }
}

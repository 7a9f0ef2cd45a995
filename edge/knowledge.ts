import type { Knowledge } from '../mesh/gate.ts'
import type { Mesh } from './mesh.ts'

/** What an edge decides from: the documents that its origin signed, and the origin's time. */
export function knowledgeOf({ facts, origin }: Mesh): Knowledge {
  return {
    project: async (name) => (await facts.project(name))?.facts,
    now: () => origin.now(),
  }
}

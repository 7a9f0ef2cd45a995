/**
 * Of some edges the one that fetches a digest for all of them (rendezvous hashing): whoever knows the same edges names the same one, and
 * when one leaves, only what was its own moves. undefined: there are none.
 */
export function homeOf<E extends { readonly id: string }>(digest: string, edges: readonly E[]): E | undefined {
  let [home, best]: [E | undefined, number] = [undefined, -1]
  for (const edge of edges) {
    const weight = weightOf(`${digest} ${edge.id}`)
    if (weight < best || (weight === best && home !== undefined && edge.id > home.id)) continue
    home = edge
    best = weight
  }
  return home
}

/** FNV-1a, 32 bits, with the last steps of MurmurHash3, since names that differ little must weigh as if by chance. */
function weightOf(text: string): number {
  let hash = 0x811c9dc5
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return (hash ^ (hash >>> 16)) >>> 0
}

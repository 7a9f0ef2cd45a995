/**
 * A few of what each takes seconds to try, in their order: those that a seed chooses, which is printed. All of them with ATOLL_KILL_ALL=1; the same
 * again with ATOLL_KILL_SEED.
 */
export function chosen<T>(all: readonly T[], few: number): readonly T[] {
  const { ATOLL_KILL_ALL, ATOLL_KILL_SEED = String(Math.floor(Math.random() * 2 ** 31)) } = process.env
  if (ATOLL_KILL_ALL === '1') return all
  process.stdout.write(`${few} of ${all.length}: ATOLL_KILL_SEED=${ATOLL_KILL_SEED}\n`)
  let state = Number(ATOLL_KILL_SEED)
  const ranked = all.map((one, at) => {
    // Numerical Recipes' generator: which ones is all that matters.
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return { one, at, rank: state }
  })
  return ranked
    .sort((a, b) => a.rank - b.rank)
    .slice(0, few)
    .sort((a, b) => a.at - b.at)
    .map(({ one }) => one)
}

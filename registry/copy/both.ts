/** Two things at once. It waits for both, also when one of them fails. @throws what the first of them throws */
export async function both<A, B>(one: () => Promise<A>, other: () => Promise<B>): Promise<[A, B]> {
  const under = [one(), other()] as const
  await Promise.allSettled(under)
  return await Promise.all(under)
}

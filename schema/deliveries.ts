import { and, asc, eq, gt, or } from 'drizzle-orm'
import type { Database } from './database.ts'
import { deliveries } from './tables/deliveries.ts'

/** The last delivery of a tag to another registry. */
export type Delivery = typeof deliveries.$inferSelect

/** Writes down that a tag is at the destination. One that was there with this digest already was delivered then, not now. */
export async function recordDelivery(db: Database, delivery: Omit<Delivery, 'deliveredAt'>): Promise<void> {
  const { endpointId, destination, tag, repository, digest, bytes, referrers, parts } = delivery
  const known = await findDelivery(db, delivery)
  const again = known?.digest === digest && known.repository === repository
  if (again && known.referrers === referrers && known.parts === parts) return
  const made = { repository, digest, bytes, referrers, parts, deliveredAt: db.clock.now() }
  await db.write(({ sql }) =>
    sql
      .insert(deliveries)
      .values({ endpointId, destination, tag, ...made })
      .onConflictDoUpdate({ target: [deliveries.endpointId, deliveries.destination, deliveries.tag], set: again ? { referrers, parts } : made }),
  )
}

export function findDelivery(
  db: Database,
  { endpointId, destination, tag }: Pick<Delivery, 'endpointId' | 'destination' | 'tag'>,
): Promise<Delivery | undefined> {
  const place = and(eq(deliveries.endpointId, endpointId), eq(deliveries.destination, destination), eq(deliveries.tag, tag))
  return db.read.sql.select().from(deliveries).where(place).get()
}

/** Whether any tag was delivered there. */
export async function isDestination(db: Database, { endpointId, destination }: Pick<Delivery, 'endpointId' | 'destination'>): Promise<boolean> {
  const place = and(eq(deliveries.endpointId, endpointId), eq(deliveries.destination, destination))
  return (await db.read.sql.select({ tag: deliveries.tag }).from(deliveries).where(place).limit(1).get()) !== undefined
}

/** We deleted the tag there. */
export async function forgetDelivery(
  db: Database,
  { endpointId, destination, tag }: Pick<Delivery, 'endpointId' | 'destination' | 'tag'>,
): Promise<void> {
  await db.write(({ sql }) =>
    sql.delete(deliveries).where(and(eq(deliveries.endpointId, endpointId), eq(deliveries.destination, destination), eq(deliveries.tag, tag))),
  )
}

/** By repository and tag there, those after `last`. */
export function listDeliveries(db: Database, endpointId: number, limit: number, last?: Pick<Delivery, 'destination' | 'tag'>): Promise<Delivery[]> {
  const after =
    last && or(gt(deliveries.destination, last.destination), and(eq(deliveries.destination, last.destination), gt(deliveries.tag, last.tag)))
  return db.read.sql
    .select()
    .from(deliveries)
    .where(and(eq(deliveries.endpointId, endpointId), after))
    .orderBy(asc(deliveries.destination), asc(deliveries.tag))
    .limit(limit)
}

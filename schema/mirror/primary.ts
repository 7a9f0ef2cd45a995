import type { Database } from '../database.ts'
import { startCapture, stopCapture } from './capture.ts'
import { clearLog, forgetLog, headOfLog } from './log.ts'
import { putPair, putReached, type SitePair } from './pair.ts'

/** Begins to log what is written for a standby that takes everything over from here. Resolves with where its log begins. */
export async function beginMirroring(db: Database, pair: SitePair): Promise<number> {
  return await db.writeLocal(async (connection) => {
    await clearLog(connection)
    await startCapture(connection)
    const from = await headOfLog({ read: connection })
    await putPair(connection, pair, db.clock.now(), from)
    return from
  })
}

/** Goes on logging after this version was installed, whose tables may be others. */
export async function resumeMirroring(db: Database): Promise<void> {
  await db.writeLocal((connection) => startCapture(connection))
}

/** Logs nothing any more. `forget`: nor is it kept what the standby has not. */
export async function endMirroring(db: Database, pair: SitePair, { forget }: { readonly forget: boolean }): Promise<void> {
  await db.writeLocal(async (connection) => {
    await stopCapture(connection)
    if (forget) await clearLog(connection)
    await putPair(connection, pair, db.clock.now())
  })
}

/** The standby has everything up to here. */
export async function acknowledge(db: Database, reached: number): Promise<void> {
  await db.writeLocal(async (connection) => {
    await putReached(connection, reached, db.clock.now())
    await forgetLog(connection, reached)
  })
}

import { crowdMemory } from './memory/crowd.ts'
import { edgeMemory } from './memory/edge.ts'
import { replicationMemory } from './memory/replication.ts'
import { workerMemory } from './memory/worker.ts'

const MIB = 1024 * 1024
const LAYER = 3 * 1024 * MIB
/** Very many blobs, and very many clients of one. */
const CROWD = { blobs: 10_000, clients: 500, size: 2 * 1024 * MIB }
/** To see that size changes nothing. */
const SMALLER = [256 * MIB, 1024 * MIB]

/** What origin, edge, control plane and Worker hold in memory while a layer of 3 GiB goes in and out. */
export async function memory(): Promise<void> {
  await edgeMemory(LAYER)
  await crowdMemory(CROWD)
  await replicationMemory(LAYER)
  await workerMemory([...SMALLER, LAYER])
}

import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseDigest } from '../../../registry/spec/digests.ts'
import {
  createEnrolmentToken,
  drainEdge,
  enrolEdge,
  findEdgeById,
  findEdgeByName,
  forgetEnrolmentTokensBefore,
  listEdges,
  noteEdge,
  revokeEdge,
} from '../../../schema/edges.ts'
import { applyLog, applyPage, applySequences, beginFilling, oweBlobs, owedBlobs, settleOwed, unnamedBlobs } from '../../../schema/mirror/apply.ts'
import { copyForDrill, sampleTags } from '../../../schema/mirror/drill.ts'
import { holdsArtifacts } from '../../../schema/mirror/emptiness.ts'
import { readPage, readSequences } from '../../../schema/mirror/fill.ts'
import { headOfLog, logLength, logReaches, oldestAfter, readLog } from '../../../schema/mirror/log.ts'
import { artifactsOnlyHere, rowsOnlyHere } from '../../../schema/mirror/only-here.ts'
import { readPair, savePair } from '../../../schema/mirror/pair.ts'
import { partPair } from '../../../schema/mirror/part.ts'
import { acknowledge, beginMirroring, endMirroring, resumeMirroring } from '../../../schema/mirror/primary.ts'
import { announcePair, promotePair } from '../../../schema/mirror/promote.ts'
import { MIRRORED } from '../../../schema/mirror/treatment.ts'
import {
  anyPreheatOnPush,
  createPreheatInstance,
  createPreheatPolicy,
  deletePreheatInstance,
  deletePreheatPolicy,
  findPreheatInstance,
  findPreheatPolicy,
  listPreheatInstances,
  listPreheatPolicies,
  preheatOnPush,
  preheatPolicy,
  taggedArtifacts,
  updatePreheatInstance,
  updatePreheatPolicy,
} from '../../../schema/preheat.ts'
import { writeSetting } from '../../../schema/settings.ts'
import { seed, temporaryDatabase } from '../../support/database.ts'
import { filling, pair } from '../../support/site-pair.ts'
import { listing, type Step } from './step.ts'

const ME = 'user:1'
const digest = parseDigest(`sha256:${'a'.repeat(64)}`)
const instance = { name: 'i', description: '', endpoint: 'https://edge', enabled: true, standard: true, insecure: false }
const policy = {
  projectId: 1,
  instanceId: 1,
  name: 'p',
  description: '',
  filters: { repository: '**', tag: '**', labels: [] },
  trigger: 'scheduled',
  cron: '0 0 0 * * *',
  enabled: true,
  extraAttributes: '',
} as const

/** Edges, what is warmed there, and a standby. User 1 and project 1 are there. */
export const sites: readonly Step[] = [
  [
    'enrol an edge',
    async (db) => {
      await createEnrolmentToken(db, { hash: 'h', name: 'e', region: 'r', expiresAt: db.clock.now() + 10_000, creator: ME })
      await enrolEdge(db, { tokenHash: 'h', id: 'e', url: 'https://e', publicJwk: {}, version: '1' })
      await forgetEnrolmentTokensBefore(db, 5, 10)
    },
  ],
  [
    'edges',
    async (db) => {
      await Promise.all([findEdgeById(db, 'e'), findEdgeByName(db, 'e')])
      await listEdges(db, { limit: 5, last: { name: 'a', id: 'b' } })
      await listEdges(db, { limit: 5, revoked: true })
      await noteEdge(db, 'e', { version: '2', cursor: 1, stats: {} })
      await noteEdge(db, 'e', { url: 'https://e.example.com' })
      await drainEdge(db, 'e', true, ME)
      await revokeEdge(db, 'e', ME)
    },
  ],
  [
    'edges that projects warm',
    async (db) => {
      await createPreheatInstance(db, instance, ME)
      await updatePreheatInstance(db, 'i', { standard: true }, ME)
      await Promise.all([findPreheatInstance(db, { name: 'i' }), findPreheatInstance(db, { id: 1 })])
      await listPreheatInstances(db, listing)
      const id = await createPreheatPolicy(db, policy, ME)
      await updatePreheatPolicy(db, id, { ...policy, name: 'q', trigger: 'event_based', cron: null }, ME)
      await listPreheatPolicies(db, 1, listing)
      await anyPreheatOnPush(db)
      await preheatOnPush(db, 1)
      await taggedArtifacts(db, 1, undefined, 10)
      await Promise.all([findPreheatPolicy(db, 1, 'q'), preheatPolicy(db, id)])
      await deletePreheatPolicy(db, { ...policy, id, createdAt: 1, updatedAt: 1 }, ME)
      await deletePreheatInstance(db, 'i', ME)
    },
  ],
  [
    'a standby',
    async (db) => {
      await using standby = await temporaryDatabase()
      await seed(standby.db, { name: 'own' })
      const from = await beginMirroring(db, pair)
      standby.db.replica(true)
      await beginFilling(standby.db, filling, from)
      for (const table of MIRRORED) {
        const { rows, next } = await readPage(db, table, undefined)
        await applyPage(standby.db, table, rows, filling, true)
        await readPage(db, table, next ?? table.key.map(() => ''))
      }
      await applySequences(standby.db, await readSequences(db))
      await writeSetting(db, 'a', 9, ME)
      const batch = await readLog(db, from)
      if (batch === undefined) throw new RangeError('Nothing was logged.')
      const gone = [
        { kind: 'gone', name: 'settings', row: JSON.stringify({ key: 'a' }) },
        { kind: 'gone', name: 'blobs', row: JSON.stringify({ digest }) },
      ] as const
      await applyLog(standby.db, { ...batch, entries: [...batch.entries, ...gone] })
      await oweBlobs(standby.db, [digest])
      await owedBlobs(standby.db)
      await settleOwed(standby.db, [digest])
      await unnamedBlobs(standby.db)
      await Promise.all([headOfLog(db), logReaches(db, from), oldestAfter(db, from), logLength(db, from), holdsArtifacts(db)])
      await Array.fromAsync(artifactsOnlyHere(db, from))
      await Array.fromAsync(artifactsOnlyHere(db, -5))
      await rowsOnlyHere(db, from, 10)
      await acknowledge(db, batch.upto)
      await resumeMirroring(db)
      await readPair(db)
      await savePair(db, pair)
      await savePair(db, pair, 1)
      await announcePair(db, pair)
      await promotePair(standby.db, { ...pair, mirroring: false }, { actor: ME, detail: {} })
      await endMirroring(db, { ...pair, mirroring: false }, { forget: true })
      const key = { kid: 'k9', algorithm: 'EdDSA', publicJwk: {}, sealedPrivate: 's' }
      await partPair(standby.db, { ...pair, peer: undefined }, { actor: ME, other: 'b', key })
    },
  ],
  [
    'a drill',
    async (db) => {
      const copy = join(tmpdir(), `atoll-drill-${process.pid}.db`)
      await copyForDrill(db, copy)
      await rm(copy)
      await sampleTags(db, 5)
    },
  ],
]

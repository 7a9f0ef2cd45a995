import { createHash } from 'node:crypto'
import { setTimeout } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { ADMIN_PASSWORD, startAtoll } from '../support/atoll.ts'
import { randomImage } from '../support/images.ts'
import { Tenant } from '../support/tenant.ts'
import { edgeBucket, s3Program, startS3 } from '../support/versitygw.ts'

const MIB = 1024 * 1024
const LAYERS = 8
const LAYER_BYTES = 12 * MIB
/** Of the eight, three have room. */
const CACHE_BYTES = 40 * MIB
const CLIENTS = 8
const PULLS = 24
const program = s3Program()

/** Which layer a client takes at each step: another order for each, and always the same. */
function layerOf(client: number, pull: number): number {
  return (pull * (2 * client + 1) + client) % LAYERS
}

/** The digest of what came, read as by a node that is busy. */
async function slowly(answer: Response): Promise<string> {
  const hash = createHash('sha256')
  for await (const chunk of answer.body ?? []) {
    hash.update(chunk)
    await setTimeout(2)
  }
  return `sha256:${hash.digest('hex')}`
}

it.skipIf(program === undefined)(
  'two edges on one bucket that make room all the time cut nobody off',
  async () => {
    const bucket = await startS3(program ?? '')
    try {
      await using origin = await startAtoll({ role: 'origin' })
      const tenant = new Tenant(origin)
      await tenant.project('open', { public: true })
      const layers: string[] = []
      for (let made = 0; made < LAYERS; made++) {
        const image = randomImage({ layers: [LAYER_BYTES] })
        await tenant.push(`open/app${made}`, image, { username: 'admin', password: ADMIN_PASSWORD }, 'v1')
        layers.push(image.layers[0]?.digest ?? '')
      }
      await using one = await tenant.edge('one', { ATOLL_EDGE_CACHE_MAX_BYTES: String(CACHE_BYTES), ...edgeBucket(bucket) })
      await using two = await tenant.edge('two', { ATOLL_EDGE_CACHE_MAX_BYTES: String(CACHE_BYTES), ...edgeBucket(bucket) })
      const wrong: string[] = []
      const pulls = async (edge: string, client: number) => {
        for (let pull = 0; pull < PULLS; pull++) {
          const at = layerOf(client, pull)
          const answer = await fetch(`http://${edge}/v2/open/app${at}/blobs/${layers[at]}`)
          const digest = await slowly(answer).catch((error: unknown) => `cut: ${error}`)
          if (digest !== layers[at]) wrong.push(`client ${client}, pull ${pull}, ${answer.status} ${digest}`)
        }
      }
      await Promise.all(Array.from({ length: CLIENTS }, (_, client) => pulls(client % 2 === 0 ? one.edge : two.edge, client)))
      const logs = await Promise.all([one.output(), two.output()])
      const readOn = logs.map((log) => log.split('is read on from where it comes from').length - 1)
      process.stdout.write(`${CLIENTS * PULLS} pulls; read on after a deletion: ${readOn.join(' and ')}\n`)
      expect(wrong).toEqual([])
    } finally {
      await bucket.close()
    }
  },
  180_000,
)

// Runs the upstream by itself: node test/support/upstream/main.ts --delay 80 --rate 20000000 --push library/app:v1=20971520,104857600

import { parseArgs } from 'node:util'
import { randomImage } from '../images.ts'
import { startUpstream } from './upstream.ts'

const { values } = parseArgs({
  options: {
    port: { type: 'string', default: '0' },
    /** Milliseconds of a round trip. */
    delay: { type: 'string', default: '0' },
    /** Bytes a second of the link. */
    rate: { type: 'string' },
    /** name:password */
    user: { type: 'string', multiple: true, default: [] },
    /** Pulls before 429. */
    pulls: { type: 'string', default: '1000000' },
    /** repository:tag=bytes of a layer,bytes of another */
    push: { type: 'string', multiple: true, default: [] },
  },
})

const upstream = await startUpstream({
  port: Number(values.port),
  pulls: Number(values.pulls),
  users: Object.fromEntries(values.user.map((user) => user.split(':', 2))),
})
if (upstream === undefined) process.exit(1)
for (const push of values.push) {
  const [, repository = '', tag = '', sizes = ''] = push.match(/^(.+):([^:=]+)=([\d,]+)$/) ?? []
  const image = randomImage({ layers: sizes.split(',').map(Number) })
  await upstream.push(repository, image, tag)
  say({ repository, tag, manifest: image.manifest.digest, layers: image.layers.map(({ digest, bytes }) => ({ digest, size: bytes.length })) })
}
upstream.faults.delayMs = Number(values.delay)
upstream.faults.bytesPerSecond = values.rate === undefined ? undefined : Number(values.rate)
say({ url: upstream.url.href })
process.on('SIGUSR2', () => say({ ...upstream.counts }))
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    say({ ...upstream.counts })
    void upstream.close().then(() => process.exit(0))
  })
}

/** One JSON document a line, for whoever started this. */
function say(document: object): void {
  process.stdout.write(`${JSON.stringify(document)}\n`)
}

import { startAtoll } from '../../support/atoll.ts'
import { randomFile } from '../images.ts'
import { peakMemory } from '../load.ts'
import { Isolate, peakOf } from '../worker/isolate.ts'
import { startBareWorker } from '../worker/workerd.ts'
import { forgetPeak } from './processes.ts'
import { pull, push } from './transfers.ts'

/** What Cloudflare gives an isolate: 128 MB. */
const LIMIT = 128e6
const MIB = 1_048_576
const LOOK_MS = 50
const REPOSITORY = 'bench/big'

/** Layers of these sizes go through an edge in a Worker, each cold and then warm: what its isolate holds, and what the process around it does. */
export async function workerMemory(sizes: readonly number[]): Promise<void> {
  await using origin = await startAtoll({ role: 'origin', env: { ATOLL_LOG_LEVEL: 'error' } })
  await origin.api('POST', '/api/v2.0/projects', { project_name: 'bench', public: true })
  const enrolment = await origin.api('POST', '/api/atoll/v1/edges', { name: 'worker', region: 'eu' })
  const { token: enrolmentToken } = (await enrolment.json()) as { token: string }
  await using worker = await startBareWorker(`http://${origin.origin}`, enrolmentToken)
  using isolate = await Isolate.of(worker.inspector)
  process.stdout.write(
    '\n## Peak memory of a Worker: its isolate, and the workerd process that runs nothing else\n\n| step | heap | buffers | isolate | under 128 MB | whole process |\n| --- | --- | --- | --- | --- | --- |\n',
  )
  const measure = async (what: string, run: () => Promise<void>) => {
    const { heap, buffers, both } = await peakOf(isolate, run, LOOK_MS)
    const cells = [heap, buffers, both].map((bytes) => `${(bytes / MIB).toFixed(0)} MiB`)
    process.stdout.write(`| ${what} | ${cells.join(' | ')} | ${both < LIMIT ? 'yes' : 'NO'} | ${(await peakMemory(worker.pid)).toFixed(0)} MiB |\n`)
  }
  await measure('start', async () => {})
  for (const size of sizes) {
    await using layer = await randomFile(size)
    await push(origin.origin, REPOSITORY, layer)
    for (const temperature of ['cold', 'warm']) {
      await forgetPeak(worker.pid)
      await measure(`${temperature} pull of ${size / MIB} MiB`, () => pull(worker.host, REPOSITORY, layer))
    }
  }
}

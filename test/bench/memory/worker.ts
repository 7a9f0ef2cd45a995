import { startAtoll } from '../../support/atoll.ts'
import { pushBlob, randomFile } from '../images.ts'
import { download, peakMemory, upload } from '../load.ts'
import { Isolate, peakOf } from '../worker/isolate.ts'
import { startBareWorker } from '../worker/workerd.ts'
import { forgetPeak } from './processes.ts'

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
    await pushBlob(upload, { host: origin.origin, repository: REPOSITORY, headers: await authorized(origin.origin, 'pull,push', origin.api) }, layer)
    for (const temperature of ['cold', 'warm']) {
      await forgetPeak(worker.pid)
      await measure(`${temperature} pull of ${size / MIB} MiB`, async () => {
        const headers = await authorized(worker.host, 'pull')
        const { bytes, status } = await download(`http://${worker.host}/v2/${REPOSITORY}/blobs/${layer.digest}`, headers)
        if (bytes !== size) throw new Error(`${bytes} bytes of ${size} came, with ${status}`)
      })
    }
  }
}

/** With a token of this host's own service; as the administrator where `api` is given. */
async function authorized(
  host: string,
  actions: string,
  api: (method: string, path: string) => Promise<Response> = (method, path) => fetch(`http://${host}${path}`, { method }),
): Promise<{ readonly authorization: string }> {
  const answer = await api('GET', `/service/token?service=atoll&scope=repository:${REPOSITORY}:${actions}`)
  const { token } = (await answer.json()) as { token: string }
  return { authorization: `Bearer ${token}` }
}

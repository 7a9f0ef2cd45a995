import { ADMIN_PASSWORD } from '../../support/atoll.ts'
import { pushBlob, type RandomFile } from '../images.ts'
import { download, upload } from '../load.ts'

/** One blob to a host, pushed by the administrator. */
export async function push(host: string, repository: string, blob: RandomFile): Promise<void> {
  const admin = { authorization: `Basic ${btoa(`admin:${ADMIN_PASSWORD}`)}` }
  await pushBlob(upload, { host, repository, headers: await bearer(host, repository, 'pull,push', admin) }, blob)
}

/** One blob from a host, pulled by nobody in particular. @throws when not all of it came */
export async function pull(host: string, repository: string, blob: RandomFile): Promise<void> {
  const { bytes, status } = await download(`http://${host}/v2/${repository}/blobs/${blob.digest}`, await bearer(host, repository, 'pull', {}))
  if (bytes !== blob.size) throw new Error(`${bytes} bytes of ${blob.size} came from ${host}, with ${status}`)
}

async function bearer(
  host: string,
  repository: string,
  actions: string,
  login: Readonly<Record<string, string>>,
): Promise<{ authorization: string }> {
  const answer = await fetch(`http://${host}/service/token?service=atoll&scope=repository:${repository}:${actions}`, { headers: login })
  if (!answer.ok) throw new Error(`no token at ${host}: ${answer.status} ${await answer.text()}`)
  const { token } = (await answer.json()) as { token: string }
  return { authorization: `Bearer ${token}` }
}

import { OCI_MANIFEST } from '../../registry/spec/media-types.ts'
import { ADMIN_PASSWORD, type AtollProcess } from '../support/atoll.ts'
import { descriptorOf, type PushTarget, pushBlob, randomImage, type TestManifest, testBlob } from '../support/images.ts'
import { type Outcome, run } from '../support/run.ts'

export interface Execution {
  readonly id: number
  readonly status: string
  readonly trigger: string
  readonly total: number
  readonly succeed: number
  readonly failed: number
}

/** The command line at this origin; throws with all it said unless it ended well. */
export async function atollCli(site: AtollProcess, ...args: string[]): Promise<Outcome> {
  const outcome = await site.cli(...args)
  if (outcome.code !== 0) throw new Error(`atoll ${args.join(' ')} ended with ${outcome.code}\n${outcome.stdout}\n${outcome.stderr}`)
  return outcome
}

export async function atollJson<T>(site: AtollProcess, ...args: string[]): Promise<T> {
  return JSON.parse((await atollCli(site, ...args, '--json')).stdout) as T
}

export function basic(username: string, password: string): Readonly<Record<string, string>> {
  return { authorization: `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}` }
}

export function targetAt(site: AtollProcess, repository: string): PushTarget {
  return { url: new URL(`http://${site.origin}`), repository, headers: basic('admin', ADMIN_PASSWORD) }
}

/** What a GET of this address under /v2/ gives. */
export function pull(site: AtollProcess, path: string): Promise<Response> {
  return fetch(`http://${site.origin}/v2/${path}`, { headers: { ...basic('admin', ADMIN_PASSWORD), accept: '*/*' } })
}

export async function bytesAt(site: AtollProcess, path: string): Promise<Buffer> {
  const answer = await pull(site, path)
  if (answer.status !== 200) throw new Error(`${path} answered ${answer.status}: ${await answer.text()}`)
  return Buffer.from(await answer.arrayBuffer())
}

/** Pushes what a signature is: a small artifact whose subject is another manifest. */
export async function pushSignature(target: PushTarget, subject: TestManifest): Promise<TestManifest> {
  const image = randomImage({ layers: [500] })
  const manifest = testBlob(
    Buffer.from(
      JSON.stringify({
        ...(JSON.parse(Buffer.from(image.manifest.bytes).toString()) as object),
        artifactType: 'application/vnd.example.signature',
        subject: descriptorOf(subject, subject.mediaType),
      }),
    ),
  )
  for (const blob of image.blobs) await pushBlob(target, blob)
  const answer = await fetch(new URL(`/v2/${target.repository}/manifests/${manifest.digest}`, target.url), {
    method: 'PUT',
    headers: { ...target.headers, 'content-type': OCI_MANIFEST },
    body: new Uint8Array(manifest.bytes),
  })
  if (answer.status !== 201) throw new Error(`the signature was answered with ${answer.status}: ${await answer.text()}`)
  return { ...manifest, mediaType: OCI_MANIFEST }
}

export async function taskLogs(site: AtollProcess, execution: number): Promise<string> {
  return (await atollCli(site, 'replicate', 'logs', String(execution))).stdout
}

/** Adds an endpoint with a password, which the command line reads from its input. */
export function addEndpointWith(site: AtollProcess, name: string, url: string, username: string, password: string) {
  const env = { HOME: site.data, ATOLL_SERVER: `http://${site.origin}`, ATOLL_USERNAME: 'admin', ATOLL_PASSWORD: ADMIN_PASSWORD }
  const cli = new URL('../../cli/atoll', import.meta.url).pathname
  return run(cli, ['replicate', 'endpoint', 'add', name, url, '--login', username], { env, input: `${password}\n` })
}

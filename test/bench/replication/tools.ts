import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as later } from 'node:timers/promises'
import { ADMIN_PASSWORD, type AtollProcess } from '../../support/atoll.ts'
import { must } from '../../support/run.ts'

/** How long one of them may take for anything. */
const DEADLINE_MS = 1_800_000
/** How often an execution is looked at: its end is known no later than this. */
const LOOK_MS = 20
const ENDPOINTS = '/api/v2.0/registries'
const RULES = '/api/v2.0/replication/policies'
const EXECUTIONS = '/api/v2.0/replication/executions'

export interface Images {
  readonly project: string
  readonly repositories: readonly string[]
  /** Of each repository. */
  readonly tags: readonly string[]
}

/** Something that makes another registry have what one has, with all that it keeps in a folder of its own. */
export interface Tool extends AsyncDisposable {
  readonly name: string
  /** Once, until everything is there. */
  sync(): Promise<void>
}

export interface Ends {
  readonly source: AtollProcess
  /** Where the destination is reached. */
  readonly host: string
  readonly images: Images
}

/** A rule of the source that pushes to the destination; its control plane has the source beside it, as the other tools do. */
export async function atoll(name: string, { source, host, images }: Ends): Promise<Tool> {
  const endpoint = await made(source, ENDPOINTS, {
    name,
    url: `http://${host}`,
    type: 'atoll',
    credential: { type: 'basic', access_key: 'admin', access_secret: ADMIN_PASSWORD },
  })
  const rule = await made(source, RULES, {
    name,
    enabled: true,
    dest_registry: { id: endpoint },
    trigger: { type: 'manual' },
    filters: [{ type: 'name', value: `${images.project}/**` }],
    dest_namespace_replace_count: 0,
  })
  return {
    name: 'Atoll',
    sync: async () => {
      const id = await made(source, EXECUTIONS, { policy_id: rule })
      for (const deadline = Date.now() + DEADLINE_MS; Date.now() < deadline; await later(LOOK_MS)) {
        const { status, status_text: why } = (await (await source.api('GET', `${EXECUTIONS}/${id}`)).json()) as {
          status: string
          status_text?: string
        }
        if (status === 'Succeed') return
        if (status !== 'InProgress') throw new Error(`The execution ended as ${status}: ${why}`)
      }
      throw new Error('The execution does not end.')
    },
    [Symbol.asyncDispose]: async () => {},
  }
}

async function made(site: AtollProcess, path: string, body: unknown): Promise<number> {
  const answer = await site.api('POST', path, body)
  if (answer.status !== 201) throw new Error(`POST ${path}: ${answer.status} ${await answer.text()}`)
  return Number(answer.headers.get('location')?.split('/').at(-1))
}

export async function skopeoSync({ source, host, images }: Ends): Promise<Tool> {
  const home = await folder()
  const all = images.repositories.map((repository) => `    ${images.project}/${repository}: []\n`).join('')
  await writeFile(join(home, 'sync.yaml'), `${source.origin}:\n  tls-verify: false\n  images:\n${all}`)
  const args = [
    'sync',
    '--src',
    'yaml',
    '--dest',
    'docker',
    '--all',
    '--preserve-digests',
    '--dest-tls-verify=false',
    '--dest-creds',
    `admin:${ADMIN_PASSWORD}`,
  ]
  return tool('skopeo sync', home, () => program('skopeo', [...args, 'sync.yaml', `${host}/${images.project}`], home))
}

/** One image after the other, as a script would. */
export async function regctlCopy({ source, host, images }: Ends): Promise<Tool> {
  const home = await folder()
  await program('regctl', ['registry', 'set', source.origin, '--tls', 'disabled'], home)
  await program('regctl', ['registry', 'set', host, '--tls', 'disabled'], home)
  await program('regctl', ['registry', 'login', host, '-u', 'admin', '-p', ADMIN_PASSWORD, '--skip-check'], home)
  return tool('regctl image copy', home, async () => {
    for (const repository of images.repositories) {
      for (const tag of images.tags) {
        const name = `${images.project}/${repository}:${tag}`
        await program('regctl', ['image', 'copy', `${source.origin}/${name}`, `${host}/${name}`], home)
      }
    }
  })
}

export async function regsync({ source, host, images }: Ends): Promise<Tool> {
  const home = await folder()
  const name = (repository: string) => `${images.project}/${repository}`
  const config = {
    version: 1,
    creds: [
      { registry: source.origin, tls: 'disabled' },
      { registry: host, user: 'admin', pass: ADMIN_PASSWORD, tls: 'disabled' },
    ],
    defaults: { parallel: 4 },
    sync: images.repositories.map((repository) => ({
      source: `${source.origin}/${name(repository)}`,
      target: `${host}/${name(repository)}`,
      type: 'repository',
    })),
  }
  // JSON is YAML.
  await writeFile(join(home, 'regsync.yml'), JSON.stringify(config))
  return tool('regsync', home, () => program('regsync', ['once', '-c', 'regsync.yml'], home))
}

function tool(name: string, home: string, sync: () => Promise<void>): Tool {
  return { name, sync, [Symbol.asyncDispose]: () => rm(home, { recursive: true, force: true }) }
}

async function program(command: string, args: readonly string[], home: string): Promise<void> {
  await must(command, args, { cwd: home, env: { HOME: home, XDG_RUNTIME_DIR: home }, deadlineMs: DEADLINE_MS })
}

function folder(): Promise<string> {
  return mkdtemp(join(tmpdir(), 'atoll-bench-'))
}

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ADMIN_PASSWORD, type AtollProcess, startAtoll } from '../support/atoll.ts'
import { type ImageLayout, imageLayout } from '../support/layout.ts'
import { must } from '../support/run.ts'
import { requireTool } from '../support/tools.ts'
import { startUpstream } from '../support/upstream/upstream.ts'
import { type AtollWorker, startAtollWorker } from '../support/worker.ts'
import { containerd, openContainerd } from './tools/containerd.ts'
import { docker, openDocker } from './tools/docker.ts'

const present = (needs: Readonly<Record<string, string>>) => Object.entries(needs).every(([tool, howToGet]) => requireTool(tool, howToGet))
const upstream = await startUpstream({ users: { pusher: 'secret' } })
const skopeo = requireTool('skopeo', 'apt-get install skopeo')

describe.skipIf(upstream === undefined || !skopeo)('images keep the names of Docker Hub, and come from an edge', () => {
  let atoll: AtollProcess
  let worker: AtollWorker
  let layout: ImageLayout
  let workdir: string

  beforeAll(async () => {
    const hub = upstream as NonNullable<typeof upstream>
    workdir = await mkdtemp(join(tmpdir(), 'atoll-mirror-'))
    ;[atoll, layout] = await Promise.all([startAtoll({ env: { ATOLL_EDGE_MIRROR_PROJECT: 'hub' } }), imageLayout()])
    const created = async (path: string, body: unknown) => {
      const answer = await atoll.api('POST', path, body)
      if (answer.status !== 201) throw new Error(`POST ${path}: ${answer.status} ${await answer.text()}`)
      return answer
    }
    const made = await created('/api/v2.0/registries', { name: 'hub', type: 'docker-hub', url: hub.url.origin, insecure: true })
    await created('/api/v2.0/projects', { project_name: 'hub', public: true, registry_id: Number(made.headers.get('location')?.split('/').at(-1)) })
    // The one that a new site begins with stands for the real Docker Hub.
    await atoll.cli('project', 'mirror', 'set', 'dockerhub-proxy', '--off')
    for (const name of ['containerd', 'docker', 'worker']) {
      const target = `docker://${hub.behind.host}/library/mirrored-${name}:1.0.0`
      await must('skopeo', ['copy', '--dest-tls-verify=false', `oci:${layout.dir}:image`, target], { env: { HOME: workdir } })
    }
    worker = await startAtollWorker({ origin: `http://${atoll.origin}`, admin: { username: 'admin', password: ADMIN_PASSWORD } })
  }, 120_000)

  afterAll(async () => {
    await worker?.[Symbol.asyncDispose]()
    await atoll?.[Symbol.asyncDispose]()
    await layout?.[Symbol.asyncDispose]()
    await upstream?.close()
    if (workdir) await rm(workdir, { recursive: true, force: true })
  })

  const config = async (...options: string[]) => {
    const written = await atoll.cli('edge', 'mirror-config', '--json', ...options)
    expect(written.code, written.stderr).toBe(0)
    return JSON.parse(written.stdout) as { path: string; text: string }[]
  }

  test.skipIf(!present(containerd.needs)).each([
    ['Node', 'containerd', () => atoll.edge],
    ['Worker', 'worker', () => worker.host],
  ])(
    'containerd pulls docker.io/library/… from a %s edge, by the hosts.toml that the command writes',
    async (kind, name, host) => {
      const folder = join(workdir, kind)
      await config('--edge', `http://${host()}`, '--registry', 'docker.io', '--only', '--out', folder)
      const home = await mkdtemp(join(workdir, 'ctr-'))
      await using session = await openContainerd(home, join(folder, 'certs.d'))
      const { code, stdout, stderr } = await session.pull(`docker.io/library/mirrored-${name}:1.0.0`)
      expect(code, stdout + stderr).toBe(0)
    },
    120_000,
  )

  test.skipIf(!present(docker.needs))(
    'dockerd pulls by the daemon.json that the command writes',
    async () => {
      const folder = join(workdir, 'dockerd')
      const [file] = await config('--edge', `http://${atoll.edge}`, '--docker', '--out', folder)
      const home = await mkdtemp(join(workdir, 'docker-'))
      await using session = await openDocker(home, '--config-file', file?.path ?? '')
      const { code, stdout, stderr } = await session.pull('mirrored-docker:1.0.0')
      expect(code, stdout + stderr).toBe(0)
    },
    120_000,
  )

  test.skipIf(!present(containerd.needs))(
    'a rule of the project holds by these names, too, and reaches the person who pulls',
    async () => {
      const set = await atoll.cli('project', 'upstream-rules', 'set', 'hub', '--deny', 'library/mirrored-*')
      expect(set.code, set.stderr).toBe(0)
      const folder = join(workdir, 'ruled')
      await config('--edge', `http://${atoll.edge}`, '--registry', 'docker.io', '--only', '--out', folder)
      const home = await mkdtemp(join(workdir, 'ctr-'))
      await using session = await openContainerd(home, join(folder, 'certs.d'))
      const { code, stderr } = await session.pull('docker.io/library/mirrored-containerd:1.0.0')
      expect(code).not.toBe(0)
      expect(stderr).toMatch(/403|forbidden/i)
    },
    120_000,
  )
})

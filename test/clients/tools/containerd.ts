import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { openSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { must, run } from '../../support/run.ts'
import { until } from '../../support/until.ts'
import type { Client, ClientSession } from '../client.ts'
import { hostOf } from '../client.ts'

/** `ctr` on a containerd of its own. ctr has no login: it sends the credentials with each command. */
export const containerd: Client = {
  name: 'containerd ctr',
  needs: { containerd: 'apt-get install containerd', ctr: 'apt-get install containerd' },
  indexes: 'moves',
  loginAsks: false,
  open: (workdir) => openContainerd(workdir),
}

/** With `hostsDir` it is told there where registries are, and pulls nothing without TLS unless that says so. */
export async function openContainerd(workdir: string, hostsDir?: string): Promise<ClientSession> {
  const where = hostsDir === undefined ? ['--plain-http'] : ['--hosts-dir', hostsDir]
  const socket = join(workdir, 'containerd.sock')
  const config = join(workdir, 'config.toml')
  await writeFile(
    config,
    `version = 2\nroot = "${join(workdir, 'root')}"\nstate = "${join(workdir, 'state')}"\ndisabled_plugins = ["io.containerd.grpc.v1.cri"]\n[grpc]\n  address = "${socket}"\n`,
  )
  const log = openSync(join(workdir, 'containerd.log'), 'a')
  const daemon = spawn('containerd', ['--config', config], { stdio: ['ignore', log, log], env: { PATH: process.env.PATH, TMPDIR: workdir } })
  const ctr = (...args: string[]) => run('ctr', ['--address', socket, ...args], { env: { HOME: workdir } })
  await until('containerd answers', async () => daemon.exitCode !== null || (await ctr('version')).code === 0)
  if (daemon.exitCode !== null) throw new Error(`containerd ended with ${daemon.exitCode}; see containerd.log`)
  const credentials = new Map<string, string>()
  const user = (reference: string) => {
    const known = credentials.get(hostOf(reference))
    return known === undefined ? [] : ['--user', known]
  }
  const importTagged = async (dir: string, tag: string, reference: string, platforms: readonly string[]) => {
    const archive = join(workdir, 'import.tar')
    await must('tar', ['-C', dir, '-cf', archive, 'oci-layout', 'index.json', 'blobs'])
    await must('ctr', ['--address', socket, 'images', 'import', '--no-unpack', '--base-name', 'layout.local/it', ...platforms, archive], {
      env: { HOME: workdir },
    })
    await must('ctr', ['--address', socket, 'images', 'tag', '--force', `layout.local/it:${tag}`, reference], { env: { HOME: workdir } })
  }
  const forget = async (reference: string) => {
    await ctr('images', 'rm', '--sync', reference, 'layout.local/it:image', 'layout.local/it:index')
  }
  return {
    async login(host, username, password) {
      credentials.set(host, `${username}:${password}`)
      return { code: 0, stdout: '', stderr: '' }
    },
    async push(layout, reference) {
      await importTagged(layout.dir, 'image', reference, ['--all-platforms'])
      const pushed = await ctr('images', 'push', '--plain-http', ...user(reference), reference)
      await forget(reference)
      return pushed
    },
    async pull(reference) {
      const pulled = await ctr('images', 'pull', ...where, '--snapshotter', 'native', ...user(reference), reference)
      await forget(reference)
      return pulled
    },
    async pushIndex(layout, reference) {
      await importTagged(layout.dir, 'index', reference, ['--all-platforms'])
      const pushed = await ctr('images', 'push', '--plain-http', ...user(reference), reference)
      await forget(reference)
      return pushed
    },
    async pullIndex(reference) {
      const pulled = await ctr('content', 'fetch', '--all-platforms', '--plain-http', ...user(reference), reference)
      await forget(reference)
      return pulled
    },
    async [Symbol.asyncDispose]() {
      daemon.kill('SIGTERM')
      if (daemon.exitCode === null) await once(daemon, 'exit')
    },
  }
}

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { openSync } from 'node:fs'
import { join } from 'node:path'
import { must, run } from '../../support/run.ts'
import { until } from '../../support/until.ts'
import type { Client, ClientSession } from '../client.ts'

/** A Docker engine of its own, without a network for containers: nothing is run in it, only pushed and pulled. */
export const docker: Client = {
  name: 'docker',
  needs: { dockerd: 'apt-get install docker.io', docker: 'apt-get install docker.io', containerd: 'apt-get install containerd' },
  indexes: 'picks',
  loginAsks: true,
  open: (workdir) => openDocker(workdir),
}

/** `options` are further ones of dockerd. */
export async function openDocker(workdir: string, ...options: readonly string[]): Promise<ClientSession> {
  const socket = `unix://${join(workdir, 'docker.sock')}`
  const log = openSync(join(workdir, 'dockerd.log'), 'a')
  const engine = spawn(
    'dockerd',
    [
      '--storage-driver=vfs',
      '--iptables=false',
      '--ip6tables=false',
      '--bridge=none',
      `--data-root=${join(workdir, 'data')}`,
      `--exec-root=${join(workdir, 'exec')}`,
      `--pidfile=${join(workdir, 'pid')}`,
      `--host=${socket}`,
      ...options,
    ],
    { stdio: ['ignore', log, log], env: { PATH: process.env.PATH, HOME: workdir, TMPDIR: workdir } },
  )
  const env = { HOME: workdir, DOCKER_CONFIG: join(workdir, 'config'), DOCKER_HOST: socket }
  const docker = (...args: string[]) => run('docker', args, { env })
  await until('dockerd answers', async () => engine.exitCode !== null || (await docker('version')).code === 0)
  if (engine.exitCode !== null) throw new Error(`dockerd ended with ${engine.exitCode}; see dockerd.log`)
  return {
    login: (host, username, password) => run('docker', ['login', '--username', username, '--password-stdin', host], { env, input: password }),
    async push(layout, reference) {
      await must('docker', ['import', layout.rootfs, reference], { env })
      const pushed = await docker('push', reference)
      await docker('rmi', '--force', reference)
      return pushed
    },
    async pull(reference) {
      const pulled = await docker('pull', reference)
      await docker('rmi', '--force', reference)
      return pulled
    },
    async [Symbol.asyncDispose]() {
      engine.kill('SIGTERM')
      if (engine.exitCode === null) await once(engine, 'exit')
    },
  }
}

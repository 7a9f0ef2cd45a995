import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { must, run } from '../../support/run.ts'
import type { Client } from '../client.ts'

export const podman: Client = {
  name: 'podman',
  needs: { podman: 'apt-get install podman' },
  indexes: 'picks',
  loginAsks: true,
  async open(workdir) {
    const env = { HOME: workdir, REGISTRY_AUTH_FILE: join(workdir, 'auth.json'), XDG_RUNTIME_DIR: workdir, TMPDIR: workdir }
    await writeFile(env.REGISTRY_AUTH_FILE, '{}')
    const storage = ['--root', join(workdir, 'root'), '--runroot', join(workdir, 'run'), '--storage-driver', 'vfs']
    const podman = (...args: string[]) => run('podman', [...storage, ...args], { env })
    return {
      login: (host, username, password) =>
        run('podman', [...storage, 'login', '--tls-verify=false', '--username', username, '--password-stdin', host], { env, input: password }),
      async push(layout, reference) {
        await must('podman', [...storage, 'import', layout.rootfs, reference], { env })
        const pushed = await podman('push', '--tls-verify=false', reference)
        await podman('rmi', '--force', reference)
        return pushed
      },
      async pull(reference) {
        const pulled = await podman('pull', '--tls-verify=false', reference)
        await podman('rmi', '--force', reference)
        return pulled
      },
      async [Symbol.asyncDispose]() {
        await podman('rmi', '--all', '--force')
      },
    }
  },
}

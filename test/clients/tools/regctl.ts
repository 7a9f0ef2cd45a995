import { mkdtemp } from 'node:fs/promises'
import { join } from 'node:path'
import { run } from '../../support/run.ts'
import type { Client } from '../client.ts'
import { hostOf } from '../client.ts'

export const regctl: Client = {
  name: 'regctl',
  needs: { regctl: 'go install github.com/regclient/regclient/cmd/regctl@latest' },
  indexes: 'moves',
  loginAsks: true,
  async open(workdir) {
    const env = { HOME: workdir, REGCTL_CONFIG: join(workdir, 'regctl.json'), DOCKER_CONFIG: join(workdir, 'docker') }
    const regctl = (reference: string, ...args: string[]) => run('regctl', ['--host', `reg=${hostOf(reference)},tls=disabled`, ...args], { env })
    const fresh = async () => `ocidir://${await mkdtemp(join(workdir, 'pull-'))}:it`
    return {
      async login(host, username, password) {
        await run('regctl', ['registry', 'set', '--tls', 'disabled', '--skip-check', host], { env })
        return run('regctl', ['registry', 'login', host, '--user', username, '--pass-stdin'], { env, input: password })
      },
      push: (layout, reference) => regctl(reference, 'image', 'copy', `ocidir://${layout.dir}:image`, reference),
      pull: async (reference) => regctl(reference, 'image', 'copy', reference, await fresh()),
      pushIndex: (layout, reference) => regctl(reference, 'image', 'copy', `ocidir://${layout.dir}:index`, reference),
      pullIndex: async (reference) => regctl(reference, 'image', 'copy', reference, await fresh()),
      [Symbol.asyncDispose]: async () => undefined,
    }
  },
}

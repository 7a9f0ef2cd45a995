import { mkdtemp } from 'node:fs/promises'
import { join } from 'node:path'
import { run } from '../../support/run.ts'
import type { Client } from '../client.ts'

export const skopeo: Client = {
  name: 'skopeo',
  needs: { skopeo: 'apt-get install skopeo' },
  indexes: 'moves',
  loginAsks: true,
  async open(workdir) {
    const auth = join(workdir, 'auth.json')
    const env = { HOME: workdir, REGISTRY_AUTH_FILE: auth, TMPDIR: workdir }
    const copy = (...args: string[]) =>
      run('skopeo', ['--insecure-policy', 'copy', '--src-tls-verify=false', '--dest-tls-verify=false', ...args], { env })
    const fresh = async () => `oci:${await mkdtemp(join(workdir, 'pull-'))}:it`
    return {
      login: (host, username, password) =>
        run('skopeo', ['login', '--tls-verify=false', '--username', username, '--password-stdin', host], { env, input: password }),
      push: (layout, reference) => copy(`oci:${layout.dir}:image`, `docker://${reference}`),
      pull: async (reference) => copy(`docker://${reference}`, await fresh()),
      pushIndex: (layout, reference) => copy('--all', `oci:${layout.dir}:index`, `docker://${reference}`),
      pullIndex: async (reference) => copy('--all', `docker://${reference}`, await fresh()),
      [Symbol.asyncDispose]: async () => undefined,
    }
  },
}

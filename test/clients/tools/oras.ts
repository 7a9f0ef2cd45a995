import { mkdtemp } from 'node:fs/promises'
import { join } from 'node:path'
import { run } from '../../support/run.ts'
import type { Client } from '../client.ts'

export const oras: Client = {
  name: 'oras',
  needs: { oras: 'go install oras.land/oras/cmd/oras@latest' },
  indexes: 'moves',
  loginAsks: true,
  async open(workdir) {
    const config = join(workdir, 'oras.json')
    const env = { HOME: workdir }
    const copy = (...args: string[]) => run('oras', ['cp', ...args], { env })
    const toRegistry = ['--to-plain-http', '--to-registry-config', config]
    const fromRegistry = ['--from-plain-http', '--from-registry-config', config]
    const fresh = async () => `${await mkdtemp(join(workdir, 'pull-'))}:it`
    return {
      login: (host, username, password) =>
        run('oras', ['login', '--plain-http', '--registry-config', config, '--username', username, '--password-stdin', host], {
          env,
          input: password,
        }),
      push: (layout, reference) => copy('--from-oci-layout', ...toRegistry, `${layout.dir}:image`, reference),
      pull: async (reference) => copy(...fromRegistry, '--to-oci-layout', '--recursive', reference, await fresh()),
      pushIndex: (layout, reference) => copy('--from-oci-layout', ...toRegistry, `${layout.dir}:index`, reference),
      pullIndex: async (reference) => copy(...fromRegistry, '--to-oci-layout', '--recursive', reference, await fresh()),
      [Symbol.asyncDispose]: async () => undefined,
    }
  },
}

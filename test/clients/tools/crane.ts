import { mkdtemp } from 'node:fs/promises'
import { join } from 'node:path'
import { must, run } from '../../support/run.ts'
import type { Client } from '../client.ts'

export const crane: Client = {
  name: 'crane',
  needs: { crane: 'go install github.com/google/go-containerregistry/cmd/crane@latest' },
  indexes: 'moves',
  loginAsks: false,
  async open(workdir) {
    const env = { HOME: workdir, DOCKER_CONFIG: join(workdir, 'docker') }
    const crane = (...args: string[]) => run('crane', args, { env })
    // crane pushes a layout's only entry, so each is given one of its own.
    const only = async (dir: string, tag: string) => {
      const target = await mkdtemp(join(workdir, 'push-'))
      await must('cp', ['-r', join(dir, 'blobs'), join(dir, 'oci-layout'), target])
      await must('sh', [
        '-c',
        `jq '.manifests |= map(select(.annotations."org.opencontainers.image.ref.name" == "${tag}"))' "$0" > "$1"`,
        join(dir, 'index.json'),
        join(target, 'index.json'),
      ])
      return target
    }
    return {
      login: (host, username, password) =>
        run('crane', ['auth', 'login', host, '--username', username, '--password-stdin'], { env, input: password }),
      push: async (layout, reference) => crane('push', await only(layout.dir, 'image'), reference),
      pull: async (reference) => crane('pull', '--platform=linux/amd64', reference, join(await mkdtemp(join(workdir, 'pull-')), 'image.tar')),
      pushIndex: async (layout, reference) => crane('push', '--index', await only(layout.dir, 'index'), reference),
      pullIndex: async (reference) => crane('pull', '--format=oci', reference, await mkdtemp(join(workdir, 'pull-'))),
      [Symbol.asyncDispose]: async () => undefined,
    }
  },
}

import { mkdir, mkdtemp, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { must, run } from '../../support/run.ts'
import type { Client } from '../client.ts'
import { splitTag } from '../client.ts'

/** helm names what it pushes after the chart: the last part of the reference is the chart's name, the tag its version. */
export const helm: Client = {
  name: 'helm oci://',
  needs: { helm: 'go install helm.sh/helm/v4/cmd/helm@latest' },
  indexes: 'unknown',
  loginAsks: true,
  async open(workdir) {
    const env = { HOME: workdir, HELM_REGISTRY_CONFIG: join(workdir, 'helm.json') }
    return {
      login: (host, username, password) =>
        run('helm', ['registry', 'login', host, '--plain-http', '--username', username, '--password-stdin'], { env, input: password }),
      async push(_layout, reference) {
        const { repository, tag } = splitTag(reference)
        const name = repository.slice(repository.lastIndexOf('/') + 1)
        const source = join(await mkdtemp(join(workdir, 'chart-')), name)
        await mkdir(join(source, 'templates'), { recursive: true })
        await writeFile(join(source, 'Chart.yaml'), `apiVersion: v2\nname: ${name}\nversion: ${tag}\n`)
        await writeFile(join(source, 'templates', 'map.yaml'), 'apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: it\n')
        await must('helm', ['package', source, '--destination', workdir], { env })
        return run(
          'helm',
          ['push', join(workdir, `${name}-${tag}.tgz`), `oci://${repository.slice(0, repository.lastIndexOf('/'))}`, '--plain-http'],
          { env },
        )
      },
      async pull(reference) {
        const { repository, tag } = splitTag(reference)
        return run(
          'helm',
          ['pull', `oci://${repository}`, '--version', tag, '--plain-http', '--destination', await mkdtemp(join(workdir, 'pull-'))],
          { env },
        )
      },
      [Symbol.asyncDispose]: async () => undefined,
    }
  },
}

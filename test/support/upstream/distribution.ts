import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort } from '../atoll.ts'
import { requireTool } from '../tools.ts'
import { until } from '../until.ts'

export const HOW_TO_GET_REGISTRY = 'go install github.com/distribution/distribution/v3/cmd/registry@latest'

/** Distribution's own registry, with a folder of its own. undefined: it is not installed. */
export async function startDistribution(): Promise<({ readonly url: URL } & AsyncDisposable) | undefined> {
  const program = requireTool('registry', HOW_TO_GET_REGISTRY)
  if (program === undefined) return undefined
  const folder = await mkdtemp(join(tmpdir(), 'atoll-upstream-'))
  const host = `127.0.0.1:${await freePort()}`
  const config = {
    version: '0.1',
    log: { level: 'error', accesslog: { disabled: true } },
    storage: { filesystem: { rootdirectory: join(folder, 'data') }, delete: { enabled: true } },
    http: { addr: host },
  }
  // YAML takes JSON as it is.
  await writeFile(join(folder, 'config.yml'), JSON.stringify(config))
  const child = spawn(program, ['serve', join(folder, 'config.yml')], {
    stdio: 'ignore',
    env: { PATH: process.env.PATH, OTEL_TRACES_EXPORTER: 'none' },
  })
  const url = new URL(`http://${host}`)
  await until('the registry behind the front answers', async () => {
    if (child.exitCode !== null) throw new Error(`the registry behind the front ended with ${child.exitCode}`)
    return (await fetch(new URL('/v2/', url)).catch(() => undefined))?.ok ?? false
  })
  return {
    url,
    async [Symbol.asyncDispose]() {
      if (child.exitCode === null) {
        const exited = once(child, 'exit')
        child.kill('SIGTERM')
        await exited
      }
      await rm(folder, { recursive: true, force: true })
    },
  }
}

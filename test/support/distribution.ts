import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { requireTool } from './tools.ts'

/** distribution's own registry, if this machine has it. */
export const DISTRIBUTION = requireTool('registry', 'go install github.com/distribution/distribution/v3/cmd/registry@latest')

export interface Distribution extends AsyncDisposable {
  readonly url: URL
  readonly pid: number
}

/** Starts it on a free port with a folder of its own. */
export async function startDistribution(): Promise<Distribution> {
  if (DISTRIBUTION === undefined) throw new Error('distribution’s registry is not on the PATH')
  const folder = await mkdtemp(join(tmpdir(), 'atoll-distribution-'))
  const config = join(folder, 'config.yml')
  const storage = { filesystem: { rootdirectory: join(folder, 'data') }, delete: { enabled: true } }
  await writeFile(config, JSON.stringify({ version: 0.1, log: { level: 'info', formatter: 'json' }, storage, http: { addr: '127.0.0.1:0' } }))
  const child = spawn(DISTRIBUTION, ['serve', config], {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { PATH: process.env.PATH, OTEL_TRACES_EXPORTER: 'none' },
  })
  const exited = once(child, 'exit')
  const port = await listening(child)
  return {
    url: new URL(`http://127.0.0.1:${port}`),
    pid: child.pid ?? 0,
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL')
      await exited
      await rm(folder, { recursive: true, force: true })
    },
  }
}

function listening(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    if (child.stderr === null) return reject(new Error('no output to read the port from'))
    const said: string[] = []
    // Read to its end, so that a registry with much to say is never held up.
    createInterface({ input: child.stderr }).on('line', (line) => {
      if (said.length < 50) said.push(line)
      const port = line.match(/listening on 127\.0\.0\.1:(\d+)/)?.[1]
      if (port !== undefined) resolve(port)
    })
    child.on('exit', (code) => reject(new Error(`the registry ended with ${code}:\n${said.join('\n')}`)))
  })
}

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort } from '../support/atoll.ts'
import { until } from '../support/until.ts'

/** Distribution's registry, with a folder, without logins, as its own documentation starts it. `upstream` makes it a proxy. */
export interface Distribution extends AsyncDisposable {
  readonly host: string
  readonly pid: number
}

export async function startDistribution(options: { readonly upstream?: string } = {}): Promise<Distribution> {
  const dir = await mkdtemp(join(tmpdir(), 'distribution-'))
  const host = `127.0.0.1:${await freePort()}`
  const proxy = options.upstream === undefined ? '' : `proxy:\n  remoteurl: ${options.upstream}\n`
  await writeFile(
    join(dir, 'config.yml'),
    `version: 0.1\nlog:\n  level: error\n  accesslog:\n    disabled: true\nstorage:\n  filesystem:\n    rootdirectory: ${join(dir, 'data')}\n  delete:\n    enabled: true\nhttp:\n  addr: ${host}\n${proxy}`,
  )
  const child = spawn('registry', ['serve', join(dir, 'config.yml')], {
    stdio: 'ignore',
    env: { PATH: process.env.PATH, OTEL_TRACES_EXPORTER: 'none' },
  })
  await until('distribution answers', async () => (await fetch(`http://${host}/v2/`).catch(() => undefined)) !== undefined)
  return {
    host,
    pid: child.pid ?? 0,
    async [Symbol.asyncDispose]() {
      child.kill('SIGTERM')
      if (child.exitCode === null) await once(child, 'exit')
      await rm(dir, { recursive: true, force: true })
    },
  }
}

/** nginx with a folder, one worker, sendfile: what a server of plain files can do. `more`: of its `server`. undefined: there is none on this machine. */
export async function startNginx(root: string, more = ''): Promise<Distribution | undefined> {
  const dir = await mkdtemp(join(tmpdir(), 'nginx-'))
  const host = `127.0.0.1:${await freePort()}`
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((name) => `${name}_temp_path ${dir}/${name};`).join(' ')
  await writeFile(
    join(dir, 'nginx.conf'),
    `daemon off; master_process off; pid ${dir}/pid; error_log stderr crit;\nevents {}\nhttp { access_log off; sendfile on; ${temporary} server { listen ${host}; root ${root}; ${more} } }\n`,
  )
  const child = spawn('nginx', ['-p', dir, '-c', join(dir, 'nginx.conf')], { stdio: 'ignore' })
  const started = await Promise.race([once(child, 'spawn').then(() => true), once(child, 'error').then(() => false)])
  if (!started) {
    await rm(dir, { recursive: true, force: true })
    return undefined
  }
  await until('nginx answers', async () => (await fetch(`http://${host}/`).catch(() => undefined)) !== undefined)
  return {
    host,
    pid: child.pid ?? 0,
    async [Symbol.asyncDispose]() {
      child.kill('SIGTERM')
      if (child.exitCode === null) await once(child, 'exit')
      await rm(dir, { recursive: true, force: true })
    },
  }
}

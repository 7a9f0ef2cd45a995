import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { forwardAudit } from '../../control-plane/forward-audit.ts'
import { systemClock } from '../../registry/clock.ts'
import { createLogger } from '../../runtime/logger.ts'
import { appendChange } from '../../schema/changes.ts'
import { temporaryDatabase } from '../support/database.ts'
import { requireTool } from '../support/tools.ts'
import { until } from '../support/until.ts'

const rsyslogd = requireTool('rsyslogd', 'apt-get install rsyslog rsyslog-gnutls')
const log = createLogger({ level: 'error', destination: { write: () => undefined } })

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  server.close()
  await once(server, 'close')
  return port
}

/** A real rsyslog that writes what it understood of each message. */
class Receiver {
  readonly #folder: string
  readonly #configuration: string
  #process: ChildProcess | undefined

  constructor(folder: string, input: string) {
    this.#folder = folder
    this.#configuration = `
global(workDirectory="${folder}")
${input}
template(name="seen" type="list") {
  property(name="app-name") constant(value="|") property(name="msgid") constant(value="|")
  property(name="syslogfacility-text") constant(value="|") property(name="structured-data") constant(value="|") property(name="msg") constant(value="\\n")
}
action(type="omfile" file="${folder}/seen" template="seen" asyncWriting="off" flushOnTXEnd="on")
`
  }

  async start(): Promise<void> {
    await writeFile(join(this.#folder, 'conf'), this.#configuration)
    this.#process = spawn(rsyslogd ?? '', ['-n', '-f', join(this.#folder, 'conf'), '-i', join(this.#folder, 'pid')], { stdio: 'ignore' })
    await once(this.#process, 'spawn')
  }

  async stop(): Promise<void> {
    const running = this.#process
    this.#process = undefined
    if (running === undefined || running.exitCode !== null) return
    running.kill('SIGTERM')
    await once(running, 'exit')
  }

  async lines(): Promise<string[]> {
    const text = await readFile(join(this.#folder, 'seen'), 'utf8').catch(() => '')
    return text.split('\n').filter((line) => line !== '')
  }

  /** The ids of the entries that came, each once, in the order of their first coming. */
  async ids(): Promise<number[]> {
    return [...new Set((await this.lines()).map((line) => Number(/ id="(\d+)"/.exec(line)?.[1])))]
  }
}

describe.skipIf(rsyslogd === undefined)('the audit log at a real rsyslog', () => {
  let folder = ''
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'atoll-syslog-'))
  })
  afterAll(async () => {
    await rm(folder, { recursive: true, force: true })
  })

  async function forwarded(protocol: 'tcp' | 'tls' | 'udp', input: (port: number) => string, ca?: string) {
    const place = await mkdtemp(join(folder, `${protocol}-`))
    const port = await freePort()
    const receiver = new Receiver(place, input(port))
    await receiver.start()
    const held = await temporaryDatabase()
    const ending = new AbortController()
    const running = forwardAudit({
      db: held.db,
      receiver: { url: new URL(`${protocol}://127.0.0.1:${port}`), ca },
      owner: 'test',
      clock: systemClock,
      log,
      signal: ending.signal,
    })
    return {
      receiver,
      tell: (n: number) => appendChange(held.db, { actor: 'system', kind: 'project.created', subject: `team-${n}`, detail: { odd: '"]\\\n' } }),
      async [Symbol.asyncDispose]() {
        ending.abort()
        await running
        await receiver.stop()
        await held[Symbol.asyncDispose]()
      },
    }
  }

  test('by TCP, and what it missed while it was away', { timeout: 60_000 }, async () => {
    await using sent = await forwarded('tcp', (port) => `module(load="imtcp")\ninput(type="imtcp" port="${port}" address="127.0.0.1")`)
    const { receiver, tell } = sent
    for (let n = 1; n <= 3; n++) await tell(n)
    await until('three entries came', async () => (await receiver.ids()).length === 3)
    expect((await receiver.lines())[0]).toMatch(
      /^atoll\|create_project\|.*\|\[audit@32473 id="1" user="system" .*\] ?\|.*system create project team-1$/,
    )
    await receiver.stop()
    for (let n = 4; n <= 8; n++) await tell(n)
    await receiver.start()
    await until('what it missed came', async () => (await receiver.ids()).length === 8)
    expect(await receiver.ids()).toEqual([1, 2, 3, 4, 5, 6, 7, 8])
  })

  test('by UDP', { timeout: 60_000 }, async () => {
    await using sent = await forwarded('udp', (port) => `module(load="imudp")\ninput(type="imudp" port="${port}" address="127.0.0.1")`)
    // Nobody hears whether the receiver was ready for the first ones.
    for (let n = 1; (await sent.receiver.ids()).length < 3; n++) {
      await sent.tell(n)
      await new Promise((resolve) => setTimeout(resolve, 200))
    }
    expect((await sent.receiver.lines()).at(-1)).toMatch(/create_project/)
  })

  test('by TLS, and to nobody whose certificate is not trusted', { timeout: 60_000 }, async () => {
    const openssl = requireTool('openssl', 'apt-get install openssl') ?? ''
    const [key, certificate] = [join(folder, 'key.pem'), join(folder, 'cert.pem')]
    execFileSync(
      openssl,
      [
        'req',
        '-x509',
        '-newkey',
        'rsa:2048',
        '-nodes',
        '-days',
        '2',
        '-subj',
        '/CN=127.0.0.1',
        '-addext',
        'subjectAltName=IP:127.0.0.1',
        '-keyout',
        key,
        '-out',
        certificate,
      ],
      { stdio: 'ignore' },
    )
    const input = (port: number) => `
global(defaultNetstreamDriverCAFile="${certificate}" defaultNetstreamDriverCertFile="${certificate}" defaultNetstreamDriverKeyFile="${key}")
module(load="imtcp" streamDriver.name="gtls" streamDriver.mode="1" streamDriver.authMode="anon")
input(type="imtcp" port="${port}" address="127.0.0.1")`
    await using trusting = await forwarded('tls', input, await readFile(certificate, 'utf8'))
    await trusting.tell(1)
    await until('an entry came', async () => (await trusting.receiver.ids()).length === 1)
    await using doubting = await forwarded('tls', input)
    await doubting.tell(1)
    await new Promise((resolve) => setTimeout(resolve, 2_000))
    expect(await doubting.receiver.ids()).toEqual([])
  })
})

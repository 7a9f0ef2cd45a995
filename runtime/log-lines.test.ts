import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync, readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { until } from '../test/support/until.ts'
import { LineWriter } from './log-lines.ts'

/** Every write to it finds the disk full. */
const FULL = '/dev/full'

it('keeps lines that a full disk does not take, loses those above its limit, and says how many', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'atoll-lines-'))
  const file = join(folder, 'log')
  const full = openSync(FULL, 'w')
  const free = openSync(file, 'a')
  try {
    let fd = full
    let tried = 0
    const target = {
      get fd() {
        tried++
        return fd
      },
    }
    const writer = new LineWriter(target, { togetherMs: 1, retryMs: 1, waitingSize: 50 })
    // Of ten characters each: five of them may wait.
    for (let n = 0; n < 8; n++) writer.write(`line ${n}...\n`.slice(-10))
    await until('it has tried again', () => tried > 2)
    fd = free
    await until('all is written', () => readFileSync(file, 'utf8').includes('lost'))
    const [told = '', ...lines] = readFileSync(file, 'utf8').trim().split('\n').reverse()
    expect(lines.reverse()).toEqual(['line 0...', 'line 1...', 'line 2...', 'line 3...', 'line 4...'])
    expect(JSON.parse(told)).toMatchObject({ level: 'warn', lines: 3, time: expect.any(String) })
  } finally {
    closeSync(full)
    closeSync(free)
    await rm(folder, { recursive: true })
  }
})

it('holds up nobody where its disk is full: not while the process lives, and not its end', async () => {
  const logger = JSON.stringify(new URL('./logger.ts', import.meta.url).href)
  const program = `
    const { createLogger } = await import(${logger})
    const log = createLogger({ level: 'info' })
    let turns = 0
    const timer = setInterval(() => {
      for (let i = 0; i < 100; i++) log.info({ i }, 'a line that nobody takes')
      process.stderr.write('.')
      if (++turns === 5) clearInterval(timer)
    }, 150)`
  const output = openSync(FULL, 'w')
  try {
    const child = spawn(process.execPath, ['--input-type=module', '-e', program], { stdio: ['ignore', output, 'pipe'] })
    let said = ''
    child.stderr?.on('data', (chunk) => {
      said += chunk
    })
    const [code] = await once(child, 'close')
    expect([code, said]).toEqual([0, '.....'])
  } finally {
    closeSync(output)
  }
})

import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import { createLogger } from './logger.ts'

function linesOf(write: (log: ReturnType<typeof createLogger>) => void): Record<string, unknown>[] {
  const lines: string[] = []
  write(createLogger({ level: 'info', destination: { write: (line) => void lines.push(line) } }))
  return lines.map((line) => JSON.parse(line) as Record<string, unknown>)
}

describe('createLogger', () => {
  it('writes what happened, with its level and time', () => {
    const [line, ...more] = linesOf((log) => {
      log.debug({}, 'not this')
      log.info({ status: 200, at: { path: '/v2/' }, none: null }, 'answered')
    })
    expect(line).toMatchObject({ level: 'info', status: 200, at: { path: '/v2/' }, none: null, msg: 'answered', time: expect.any(String) })
    expect(more).toEqual([])
  })

  it('blacks out secrets at the top, one and two levels down, in errors too, and leaves what it was given as it was', () => {
    const given = { password: 'hush', request: { headers: { authorization: 'Basic hush' }, cookie: 'hush' }, list: [{ token: 'hush' }] }
    const error = Object.assign(new Error('no'), { secret: 'hush', request: { password: 'hush' } })
    const lines = linesOf((log) => {
      log.info(given, 'one')
      log.info({ err: error }, 'two')
      log.info({ error }, 'three')
    })
    expect(JSON.stringify(lines)).not.toContain('hush')
    expect(lines[0]).toMatchObject({ password: '[redacted]', request: { headers: { authorization: '[redacted]' } } })
    expect(lines[1]).toMatchObject({ err: { message: 'no', stack: expect.any(String), secret: '[redacted]' } })
    expect(lines[2]).toMatchObject({ error: { message: 'no' } })
    expect(given.password).toBe('hush')
    expect(error.secret).toBe('hush')
  })

  it('has written every line when the process ends, however it ends', async () => {
    const url = JSON.stringify(new URL('./logger.ts', import.meta.url).href)
    for (const ending of ['', 'process.exit(0)', 'throw new Error("no")']) {
      const program = `const { createLogger } = await import(${url}); const log = createLogger({ level: 'info' }); for (let i = 0; i < 100; i++) log.info({ i }, 'line'); ${ending}`
      const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', program]).catch(
        (error: { stdout: string }) => error,
      )
      expect(
        stdout
          .trim()
          .split('\n')
          .map((line) => (JSON.parse(line) as { i: number }).i)
          // What was being written at that moment may come after what the end itself writes.
          .sort((a, b) => a - b),
      ).toEqual(Array.from({ length: 100 }, (_, i) => i))
    }
  })
})

import { mkdtemp, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { forgetSession, keepSession, readSession, sessionFile } from './session.ts'

const EAST = { url: 'https://east.example.com', username: 'admin', password: 'east' }
const WEST = { url: 'https://west.example.com', username: 'ada', password: 'west' }

let home: string
let env: NodeJS.ProcessEnv
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'atoll-session-'))
  env = { HOME: home }
})
afterEach(() => rm(home, { recursive: true }))

it('is kept for each server, the last being the default, and no password is sent to another', async () => {
  await keepSession(env, EAST)
  await keepSession(env, WEST)
  expect(await readSession(env, {})).toEqual(WEST)
  expect(await readSession(env, { server: EAST.url })).toEqual(EAST)
  expect(await readSession(env, { server: 'https://north.example.com' })).toEqual({ url: 'https://north.example.com' })
  expect(await readSession(env, { server: EAST.url, username: 'ada' })).toEqual({ url: EAST.url, username: 'ada' })
  await keepSession(env, { ...EAST, password: 'new' })
  expect([await readSession(env, {}), await readSession(env, { server: WEST.url })]).toEqual([{ ...EAST, password: 'new' }, WEST])
  expect((await stat(sessionFile(env))).mode & 0o077).toBe(0)
})

it('is forgotten for one server, or for all', async () => {
  await keepSession(env, EAST)
  await keepSession(env, WEST)
  await forgetSession(env, 'west.example.com:443')
  await forgetSession(env, WEST.url)
  expect(await readSession(env, {})).toEqual(EAST)
  expect(await readFile(sessionFile(env), 'utf8')).not.toContain('"west"')
  await keepSession(env, WEST)
  await forgetSession(env, undefined)
  expect(await readSession(env, { server: EAST.url })).toEqual({ url: EAST.url })
})

import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'
import { sameSecret } from './same.ts'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))
const ROOMS = ['origin', 'edge', 'mesh', 'runtime', 'control-plane', 'cli', 'schema', 'registry', 'policy']

/** A secret, or what was made of one, beside a sign of equality and another value: not a word in quotes, not nothing, not a number. */
const SECRET = String.raw`\b\w*(?:[sS]ecret|[pP]assword|[cC]srf|[tT]oken|[sS]ignature|tokenHash|invitation\.hash|secretHash)(?:\([^()]*\))?`
const OTHER = String.raw`(?!undefined|null|true|false|typeof|['"\d])[\w$]`
const COMPARES = [
  new RegExp(`${SECRET} (?:===|!==) ${OTHER}`),
  new RegExp(String.raw`(?<!typeof )\b(?!undefined|null)[\w.]+ (?:===|!==) ${SECRET}(?!\.)`),
]

/** Of our own tokens whether one is that which was just refused; and where tokens come from. Nobody gives either side. */
const OURS = /\btoken !== (?:options\.)?refused\b|=== tokenService\b/

it('the same is the same, and nothing else is', () => {
  expect(sameSecret('grüße', 'grüße')).toBe(true)
  for (const other of ['', 'grüß', 'grüßes', 'gruße']) expect(sameSecret('grüße', other)).toBe(false)
})

it('no secret is compared sign by sign anywhere', async () => {
  const found: string[] = []
  let lines = 0
  for (const room of ROOMS) {
    for (const file of await readdir(join(ROOT, room), { recursive: true })) {
      if (!file.endsWith('.ts') || file.includes('.test.') || file.includes('testing/')) continue
      for (const line of (await readFile(join(ROOT, room, file), 'utf8')).split('\n')) {
        lines++
        if (COMPARES.some((compares) => compares.test(line)) && !OURS.test(line)) found.push(`${room}/${file}: ${line.trim()}`)
      }
    }
  }
  expect(lines).toBeGreaterThan(20_000)
  expect(found).toEqual([])
  for (const bad of ['if (given !== secret) return', 'password === kept &&', 'a.tokenHash === hashOf(b)', 'this.#csrf(value) !== given'])
    expect(COMPARES.some((compares) => compares.test(bad))).toBe(true)
})

import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { TestRepository } from '../testing/artifacts.ts'
import { openTestOrigin, PASSWORD, type TestOrigin } from '../testing/origin.ts'

const credentials = `admin:${PASSWORD}`

let origin: TestOrigin
beforeEach(async () => {
  origin = await openTestOrigin()
})
afterEach(() => origin.close())

const ask = (method: string, path: string, json?: unknown) =>
  origin.ask(method, `/api/v2.0${path}`, { credentials, ...(json !== undefined && { json }) })
const idIn = (answer: Response) => Number(answer.headers.get('location')?.split('/').at(-1))

async function retention(rules: readonly object[], cron = ''): Promise<{ project: number; policy: number }> {
  const project = idIn(await ask('POST', '/projects', { project_name: 'short' }))
  const made = await ask('POST', '/retentions', {
    algorithm: 'or',
    scope: { level: 'project', ref: project },
    trigger: { kind: 'Schedule', settings: { cron } },
    rules,
  })
  expect(made.status, await made.clone().text()).toBe(201)
  return { project, policy: idIn(made) }
}

const rule = (decoration: 'matches' | 'excludes', extras?: string) => ({
  action: 'retain',
  template: 'always',
  tag_selectors: [{ kind: 'doublestar', decoration, pattern: '**', ...(extras !== undefined && { extras }) }],
  scope_selectors: { repository: [{ kind: 'doublestar', decoration: 'repoMatches', pattern: '**' }] },
})

describe('a project that goes', () => {
  it('takes its retention along, with its schedule', async () => {
    const { project, policy } = await retention([rule('matches')], '0 0 0 * * *')
    const schedules = async () => (await (await ask('GET', '/schedules')).json()) as unknown[]
    expect(await schedules()).toHaveLength(1)
    expect((await ask('DELETE', `/projects/${project}`)).status).toBe(200)
    expect([await schedules(), (await ask('GET', `/retentions/${policy}`)).status]).toEqual([[], 404])
  })
})

describe('a copy that a quota refuses', () => {
  it('leaves no repository, and its project may go with what came before the refusal', async () => {
    await ask('POST', '/projects', { project_name: 'wide' })
    const image = { architecture: 'amd64', os: 'linux', rootfs: { type: 'layers', diff_ids: [] } }
    await new TestRepository(origin, 'wide/source').image('x'.repeat(10), image, 'a')
    const narrow = idIn(await ask('POST', '/projects', { project_name: 'narrow', storage_limit: 200 }))
    expect((await ask('POST', '/projects/narrow/repositories/target/artifacts?from=wide/source:a')).status).toBe(403)
    const listed = await ask('GET', '/projects/narrow/repositories')
    expect([listed.headers.get('x-total-count'), await listed.json()]).toEqual(['0', []])
    expect(await (await ask('GET', `/projects/${narrow}/summary`)).json()).toMatchObject({ repo_count: 0, quota: { used: { storage: 0 } } })
    expect((await ask('GET', '/projects/narrow/repositories/target')).status).toBe(404)
    expect((await ask('DELETE', `/projects/${narrow}`)).status).toBe(200)
    const again = await ask('POST', '/projects', { project_name: 'narrow' })
    expect(again.status).toBe(201)
    expect((await ask('POST', '/projects/narrow/repositories/target/artifacts?from=wide/source:a')).status).toBe(201)
  })
})

describe('what has no tag', () => {
  it('is selected unless a rule says otherwise, and by a rule that excludes the other way round', async () => {
    const given = [rule('matches'), rule('excludes'), rule('matches', '{"untagged":false}'), rule('excludes', '{"untagged":true}')]
    const { policy } = await retention(given)
    const shown = (await (await ask('GET', `/retentions/${policy}`)).json()) as { rules: ReturnType<typeof rule>[] }
    expect(shown.rules.map(({ tag_selectors: [selector] }) => [selector?.decoration, selector?.extras])).toEqual([
      ['matches', '{"untagged":true}'],
      ['excludes', '{"untagged":false}'],
      ['matches', '{"untagged":false}'],
      ['excludes', '{"untagged":true}'],
    ])
    const { rules } = (await import('../../schema/retention.ts').then((room) => room.findRetentionPolicy(origin.origin.services.db, policy))) ?? {
      rules: [],
    }
    expect(rules.map(({ untagged }) => untagged)).toEqual([true, true, false, false])
  })
})

import { afterEach, beforeEach, describe, expect, it } from 'vitest'
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

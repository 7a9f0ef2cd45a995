import { describe, expect, it } from 'vitest'
import { ANONYMOUS, type Principal, type ProjectFacts, ROLES } from '../policy/facts.ts'
import { parseRepositoryName } from '../registry/spec/names.ts'
import type { Caller } from './caller.ts'
import { catalogGate, gateOf, type Knowledge, principalGate } from './gate.ts'
import { grantedAccess } from './grants.ts'
import { mountSource } from './mount-source.ts'

const ada: Principal = { ...ANONYMOUS, id: 'user:3', kind: 'user', name: 'ada' }
const project = (name: string, over: Partial<ProjectFacts> = {}): ProjectFacts => ({ id: 1, name, public: false, members: [], proxy: false, ...over })
const member = { subject: ada.id, role: ROLES.developer }

const PROJECTS = new Map(
  [project('team', { members: [member] }), project('base', { members: [member] }), project('open', { public: true }), project('shut')].map(
    (facts) => [facts.name, facts],
  ),
)
const knowledge: Knowledge = { project: async (name) => PROJECTS.get(name), now: () => 0 }
const challenge = () => ({ realm: 'https://r.test/service/token', service: 'atoll' })
const target = parseRepositoryName('team/app')

const holding = (...repositories: [name: string, ...actions: string[]][]): Caller => ({
  principal: ada,
  presented: true,
  access: repositories.map(([name, ...actions]) => ({ type: 'repository', name, actions })),
})

describe('the gate of a request', () => {
  it('wants both: a token made for this, and a right that holds now', async () => {
    await gateOf(holding(['team/app', 'push']), knowledge, challenge).require(target, 'push')
    await expect(gateOf(holding(['team/app', 'pull']), knowledge, challenge).require(target, 'push')).rejects.toMatchObject({
      status: 401,
      headers: { 'WWW-Authenticate': expect.stringContaining('scope="repository:team/app:pull,push",error="insufficient_scope"') },
    })
    await expect(
      gateOf(holding(['shut/app', 'pull', '*']), knowledge, challenge).require(parseRepositoryName('shut/app'), 'pull'),
    ).rejects.toMatchObject({ status: 403 })
  })

  it('shows a stranger no difference between a private project and none', async () => {
    const gate = gateOf({ principal: ANONYMOUS, presented: false }, knowledge, challenge)
    const refusal = async (name: string) => {
      const error: unknown = await gate.require(parseRepositoryName(name), 'pull').catch((reason: unknown) => reason)
      return JSON.stringify(error).replaceAll(name, '')
    }
    expect(await refusal('shut/app')).toBe(await refusal('none/app'))
  })

  it('mounts from no source that the token was not made for, though its holder may read it', async () => {
    const source = parseRepositoryName('base/image')
    const narrow = gateOf(holding(['team/app', 'pull', 'push']), knowledge, challenge)
    expect(await narrow.allows(source, 'pull')).toBe(false)
    const wide = gateOf(holding(['team/app', 'pull', 'push'], ['base/image', 'pull']), knowledge, challenge)
    expect(await wide.allows(source, 'pull')).toBe(true)
    // A password is bound to nothing, and what anybody may read needs no token.
    expect(await gateOf({ principal: ada, presented: true }, knowledge, challenge).allows(source, 'pull')).toBe(true)
    expect(await narrow.allows(parseRepositoryName('open/image'), 'pull')).toBe(true)
    expect(await gateOf(holding(['shut/image', 'pull']), knowledge, challenge).allows(parseRepositoryName('shut/image'), 'pull')).toBe(false)
  })

  it('asks for a wider token where only the token keeps its holder from the source that he named', async () => {
    const [target, source] = ['team/app', 'base/image'].map(parseRepositoryName)
    if (target === undefined || source === undefined) throw new TypeError('there are two names')
    const named = () => ({ ...challenge(), besides: 'repository:base/image:pull' })
    const gate = gateOf(holding(['team/app', 'pull', 'push']), knowledge, named)
    await gate.require(target, 'push')
    await expect(gate.allows(source, 'pull')).rejects.toMatchObject({
      status: 401,
      headers: {
        'WWW-Authenticate': expect.stringMatching(/scope="repository:team\/app:pull,push repository:base\/image:pull",error="insufficient_scope"/),
      },
    })
    // Whom the facts keep from it no token helps: nothing says that it is there.
    const shut = () => ({ ...challenge(), besides: 'repository:shut/image:pull' })
    expect(await gateOf(holding(['team/app', 'pull', 'push']), knowledge, shut).allows(parseRepositoryName('shut/image'), 'pull')).toBe(false)
  })

  it('asks for a token for the source of a mount together with that for its target', async () => {
    const url = 'https://r.test/v2/team/app/blobs/uploads/?mount=sha256:00&from=base/image'
    expect(mountSource({ method: 'POST', url })).toBe('repository:base/image:pull')
    for (const other of [url.replace('base/image', '"><script>'), url.replace('from', 'form'), url.replace('mount=', 'digest=')]) {
      expect(mountSource({ method: 'POST', url: other })).toBeUndefined()
    }
    const gate = gateOf({ principal: ANONYMOUS, presented: false }, knowledge, () => ({
      ...challenge(),
      besides: mountSource({ method: 'POST', url }),
    }))
    await expect(gate.require(target, 'push')).rejects.toMatchObject({
      headers: { 'WWW-Authenticate': expect.stringContaining('scope="repository:team/app:pull,push repository:base/image:pull"') },
    })
  })

  it('lists for who has a token for listing, and then what he may pull, whatever else his token names', async () => {
    const listing: Caller = { principal: ada, presented: true, access: [{ type: 'registry', name: 'catalog', actions: ['*'] }] }
    const gate = catalogGate(listing, knowledge, challenge)
    expect(await Promise.all(['team/app', 'open/app', 'shut/app'].map((name) => gate.allows(parseRepositoryName(name), 'pull')))).toEqual([
      true,
      true,
      false,
    ])
    expect(() => catalogGate(holding(['team/app', 'pull']), knowledge, challenge)).toThrow(/authentication required/)
    expect(() => catalogGate({ principal: ANONYMOUS, presented: false }, knowledge, challenge)).toThrow(/authentication required/)
    await expect(principalGate(ada, knowledge).require(parseRepositoryName('shut/app'), 'pull')).rejects.toMatchObject({ status: 403 })
  })
})

describe('what goes into a token', () => {
  it('is what may be done now, of what was asked for', async () => {
    const access = await grantedAccess(
      ada,
      ['repository:team/app:pull,push,delete repository:open/a:*', 'repository:shut/a:pull', 'nonsense'],
      knowledge,
    )
    expect(access).toEqual([
      { type: 'repository', name: 'team/app', actions: ['pull', 'push'] },
      { type: 'repository', name: 'open/a', actions: ['pull'] },
    ])
  })

  it('costs no more questions than the limit', async () => {
    let asked = 0
    const counting: Knowledge = { ...knowledge, project: async () => void asked++ }
    await grantedAccess(ANONYMOUS, [Array.from({ length: 500 }, (_, i) => `repository:p${i}/a:pull`).join(' ')], counting, 20)
    expect(asked).toBe(20)
  })
})

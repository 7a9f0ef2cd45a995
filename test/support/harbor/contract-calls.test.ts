import { describe, expect, it } from 'vitest'
import { ContractCalls, HARBOR_CONTRACT } from './contract-calls.ts'

const call = (method: string, path: string, query = '', body?: object) => ({
  method,
  path,
  query: new URLSearchParams(query),
  headers: new Headers(body && { 'content-type': 'application/json' }),
  body: body === undefined ? '' : JSON.stringify(body),
})

describe.skipIf(!HARBOR_CONTRACT)('calls of Harbor’s API', () => {
  it('are as its contract has them, or are found out', () => {
    const calls = new ContractCalls()
    calls.check(call('HEAD', '/projects', 'project_name=team'))
    calls.check(call('POST', '/projects', '', { project_name: 'team', public: false, metadata: { public: 'false' } }))
    calls.check(call('GET', '/repositories', 'page=1&page_size=100&sort=name'))
    expect(calls.faults).toEqual([])
    expect(calls.seen).toEqual(['headProject', 'createProject', 'listAllRepositories'])
    for (const [wrong, fault] of [
      [call('HEAD', '/projects'), 'project_name is missing'],
      [call('GET', '/repositories', 'order=name'), 'it takes no order'],
      [call('GET', '/repositories', 'page=one'), 'page is no number'],
      [
        call('POST', '/projects', '', { project_name: 'team', visible: true }),
        'must NOT have additional properties {"additionalProperty":"visible"}',
      ],
      [call('POST', '/projects', '', { project_name: 7 }), 'body/project_name must be string'],
      [call('GET', '/nothing/here'), 'there is no such operation'],
    ] as const) {
      calls.check(wrong)
      expect(calls.faults.pop()).toContain(fault)
      expect(calls.faults).toEqual([])
    }
  })
})

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { CONTRACT_PRESENT, Contract } from '../testing/contract.ts'
import { openTestOrigin, TestEdge, type TestOrigin } from '../testing/origin.ts'

describe.skipIf(!CONTRACT_PRESENT)('preheating keeps to the contract', () => {
  let origin: TestOrigin
  let ask: Contract['ask']

  beforeAll(async () => {
    origin = await openTestOrigin()
    ask = new Contract(origin).ask
    await TestEdge.enrolled(origin)
  })
  afterAll(async () => {
    await origin.close()
  })

  test('answer by answer', async () => {
    const I = '/p2p/preheat/instances'
    const O = `${I}/{preheat_instance_name}`
    await ask('GET /p2p/preheat/providers', '/p2p/preheat/providers', 200)
    const instance = { name: 'fra', endpoint: 'https://edge.example.com', vendor: 'atoll-edge', auth_mode: 'NONE', enabled: true }
    await ask(`POST ${I}`, I, 201, instance)
    await ask(`POST ${I}`, I, 409, instance)
    for (const wrong of [
      { vendor: 'dragonfly' },
      { auth_mode: 'BASIC' },
      { endpoint: 'https://elsewhere.example.com' },
      { endpoint: 'x' },
      { name: '../x' },
    ]) {
      await ask(`POST ${I}`, I, 400, { ...instance, name: 'other', ...wrong })
    }
    const one = (await ask(`GET ${O}`, `${I}/fra`, 200)).body as { id: number }
    expect((await ask(`GET ${I}`, `${I}?q=name=~fr`, 200)).body).toMatchObject([{ name: 'fra', vendor: 'atoll-edge', default: false }])
    await ask(`PUT ${O}`, `${I}/fra`, 200, { ...instance, default: true, description: 'Frankfurt' })
    await ask(`PUT ${O}`, `${I}/none`, 404, instance)
    await ask(`POST ${I}/ping`, `${I}/ping`, 404, { id: 4711 })
    await ask(`POST ${I}/ping`, `${I}/ping`, 400, { endpoint: 'https://elsewhere.example.com' })

    await ask('POST /projects', '/projects', 201, { project_name: 'hot' })
    const P = '/projects/{project_name}/preheat'
    const at = '/projects/hot/preheat'
    expect((await ask(`GET ${P}/providers`, `${at}/providers`, 200)).body).toMatchObject([{ provider: 'fra', enabled: true, default: true }])
    const policy = {
      name: 'nightly',
      provider_id: one.id,
      filters: '[{"type":"repository","value":"**"},{"type":"tag","value":"v*"},{"type":"label","value":"good,fast"}]',
      trigger: '{"type":"scheduled","trigger_setting":{"cron":"0 0 3 * * *"}}',
      enabled: true,
    }
    await ask(`POST ${P}/policies`, `${at}/policies`, 201, policy)
    await ask(`POST ${P}/policies`, `${at}/policies`, 409, policy)
    for (const wrong of [
      { provider_id: 4711 },
      { filters: 'x' },
      { filters: '[{"type":"vulnerability","value":1}]' },
      { trigger: '{"type":"sometimes"}' },
      { trigger: '{"type":"scheduled","trigger_setting":{"cron":"* * *"}}' },
    ]) {
      await ask(`POST ${P}/policies`, `${at}/policies`, 400, { ...policy, name: 'other', ...wrong })
    }
    const N = `${P}/policies/{preheat_policy_name}`
    expect((await ask(`GET ${N}`, `${at}/policies/nightly`, 200)).body).toMatchObject({
      filters: policy.filters,
      trigger: policy.trigger,
      provider_name: 'fra',
    })
    expect((await ask('GET /schedules', '/schedules', 200)).body).toMatchObject([{ vendor_type: 'P2P_PREHEAT' }])
    await ask(`GET ${P}/policies`, `${at}/policies?q=name=nightly`, 200)
    await ask(`PUT ${N}`, `${at}/policies/nightly`, 200, { ...policy, trigger: '{"type":"manual"}' })
    expect((await ask('GET /schedules', '/schedules', 200)).body).toEqual([])
    const { trigger } = (await ask(`GET ${N}`, `${at}/policies/nightly`, 200)).body as { trigger: string }
    expect(JSON.parse(trigger)).toEqual({ type: 'manual', trigger_setting: {} })
    await ask(`PUT ${N}`, `${at}/policies/nightly`, 200, { ...policy, enabled: false })
    await ask(`POST ${N}`, `${at}/policies/nightly`, 400)
    await ask(`PUT ${N}`, `${at}/policies/nightly`, 200, { ...policy, trigger: '{"type":"manual"}' })
    const { id: run } = await ask(`POST ${N}`, `${at}/policies/nightly`, 201)
    const E = `${N}/executions`
    await ask(`GET ${E}`, `${at}/policies/nightly/executions`, 200)
    expect((await ask(`GET ${E}/{execution_id}`, `${at}/policies/nightly/executions/${run}`, 200)).body).toMatchObject({
      status: 'Success',
      metrics: { task_count: 0 },
    })
    await ask(`GET ${E}/{execution_id}`, `${at}/policies/nightly/executions/4711`, 404)
    await ask(`PATCH ${E}/{execution_id}`, `${at}/policies/nightly/executions/${run}`, 200, { status: 'Stopped' })
    await ask(`PATCH ${E}/{execution_id}`, `${at}/policies/nightly/executions/${run}`, 400, { status: 'Dance' })
    await ask(`GET ${E}/{execution_id}/tasks`, `${at}/policies/nightly/executions/${run}/tasks`, 200)
    await ask(`GET ${E}/{execution_id}/tasks/{task_id}/logs`, `${at}/policies/nightly/executions/${run}/tasks/4711/logs`, 404)
    expect((await origin.ask('DELETE', `/api/v2.0${I}/fra`, { credentials: 'admin:correct horse battery staple' })).status).toBe(412)
    await ask(`DELETE ${N}`, `${at}/policies/nightly`, 200)
    await ask(`GET ${N}`, `${at}/policies/nightly`, 404)
    await ask(`DELETE ${O}`, `${I}/fra`, 200)
    await ask(`GET ${I}`, I, 401, undefined, '')
  })
})

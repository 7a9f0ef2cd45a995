import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { CONTRACT_PRESENT, Contract } from '../testing/contract.ts'
import { openTestOrigin, type TestOrigin } from '../testing/origin.ts'

describe.skipIf(!CONTRACT_PRESENT)('webhooks keep to the contract', () => {
  let origin: TestOrigin
  let ask: Contract['ask']

  beforeAll(async () => {
    origin = await openTestOrigin()
    ask = new Contract(origin).ask
  })
  afterAll(async () => {
    await origin.close()
  })

  test('answer by answer, and no header in any of them', async () => {
    const W = '/projects/{project_name_or_id}/webhook'
    const at = '/projects/hooked/webhook'
    await ask('POST /projects', '/projects', 201, { project_name: 'hooked' })
    await ask(`GET ${W}/events`, `${at}/events`, 200)
    const policy = {
      name: 'ci',
      targets: [
        { type: 'http', address: 'https://ci.example.com/hook', auth_header: 'Bearer hush', skip_cert_verify: true, payload_format: 'CloudEvents' },
      ],
      event_types: ['PUSH_ARTIFACT', 'QUOTA_EXCEED'],
      enabled: true,
    }
    const { id } = await ask(`POST ${W}/policies`, `${at}/policies`, 201, policy)
    // The contract has no 409 for it; Harbor answers one all the same.
    expect((await origin.ask('POST', `/api/v2.0${at}/policies`, { credentials: 'admin:correct horse battery staple', json: policy })).status).toBe(
      409,
    )
    for (const wrong of [{ targets: [] }, { event_types: ['DANCE'] }, { name: '' }, { targets: [{ type: 'http', address: 'javascript:1' }] }]) {
      await ask(`POST ${W}/policies`, `${at}/policies`, 400, { ...policy, ...wrong })
    }
    const P = `${W}/policies/{webhook_policy_id}`
    const shown = (await ask(`GET ${P}`, `${at}/policies/${id}`, 200)).body as { targets: object[] }
    expect(shown).toMatchObject({
      name: 'ci',
      creator: 'admin',
      targets: [{ auth_header: '***', payload_format: 'CloudEvents', skip_cert_verify: true }],
    })
    await ask(`PUT ${P}`, `${at}/policies/${id}`, 200, { ...policy, targets: shown.targets, description: 'x' })
    // What is kept for one address is never sent to another.
    await ask(`PUT ${P}`, `${at}/policies/${id}`, 400, { ...policy, targets: [{ ...shown.targets[0], address: 'https://evil.example.com/' }] })
    await ask(`PUT ${P}`, `${at}/policies/${id}`, 200, { name: 'ci', targets: shown.targets, event_types: ['PULL_ARTIFACT'] })
    expect((await ask(`GET ${W}/policies`, `${at}/policies?q=name=~c&sort=-name`, 200)).body).toMatchObject([
      { enabled: false, event_types: ['PULL_ARTIFACT'] },
    ])
    expect((await ask(`GET ${W}/lasttrigger`, `${at}/lasttrigger`, 200)).body).toMatchObject([{ policy_name: 'ci', event_type: 'PULL_ARTIFACT' }])
    expect((await ask(`GET ${P}/executions`, `${at}/policies/${id}/executions`, 200)).body).toEqual([])
    const test = await origin.ask('POST', `/api/atoll/v1/projects/hooked/webhooks/${id}/test`, { credentials: 'admin:correct horse battery staple' })
    const { execution_id: run } = (await test.json()) as { execution_id: number }
    await ask(`GET ${P}/executions`, `${at}/policies/${id}/executions?q=status=Running`, 200)
    await ask(`GET ${P}/executions/{execution_id}/tasks`, `${at}/policies/${id}/executions/${run}/tasks`, 200)
    await ask(`GET ${P}/executions/{execution_id}/tasks/{task_id}/log`, `${at}/policies/${id}/executions/${run}/tasks/1/log`, 200)
    await ask(`GET ${P}/executions/{execution_id}/tasks`, `${at}/policies/${id}/executions/4711/tasks`, 404)
    await ask(`GET ${W}/jobs`, `${at}/jobs?policy_id=${id}&status=Running&status=Pending`, 200)
    await ask(`GET ${W}/jobs`, `${at}/jobs?policy_id=${id}&status=odd`, 400)
    await ask(`DELETE ${P}`, `${at}/policies/${id}`, 200)
    await ask(`GET ${P}`, `${at}/policies/${id}`, 404)
    await ask(`GET ${W}/policies`, `${at}/policies`, 401, undefined, '')
  })
})

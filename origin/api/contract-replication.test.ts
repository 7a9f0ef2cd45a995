import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { CONTRACT_PRESENT, Contract } from '../testing/contract.ts'
import { openTestOrigin, type TestOrigin } from '../testing/origin.ts'

describe.skipIf(!CONTRACT_PRESENT)('replication keeps to the contract', () => {
  let origin: TestOrigin
  let ask: Contract['ask']

  beforeAll(async () => {
    origin = await openTestOrigin()
    ask = new Contract(origin).ask
  })
  afterAll(async () => {
    await origin.close()
  })

  test('endpoints and replication, answer by answer, and no secret in any of them', async () => {
    await ask('GET /replication/adapters', '/replication/adapters', 200)
    const { body: forms } = await ask('GET /replication/adapterinfos', '/replication/adapterinfos', 200)
    expect(forms).toMatchObject({
      harbor: {
        endpoint_pattern: { endpoint_type: 'EndpointPatternTypeStandard' },
        credential_pattern: { access_secret_type: 'AccessSecretTypePass' },
      },
      'docker-hub': { endpoint_pattern: { endpoint_type: 'EndpointPatternTypeFix', endpoints: [{ value: 'https://hub.docker.com' }] } },
      'aws-ecr': { endpoint_pattern: { endpoint_type: 'EndpointPatternTypeList' } },
      'google-gcr': {
        credential_pattern: { access_key_type: 'AccessKeyTypeFix', access_key_data: '_json_key', access_secret_type: 'AccessSecretTypeFile' },
      },
    })
    const registry = {
      name: 'other',
      url: 'https://registry.invalid',
      type: 'harbor',
      credential: { type: 'basic', access_key: 'bob', access_secret: 'Hush-hush-1' },
    }
    const { id: endpoint } = await ask('POST /registries', '/registries', 201, registry)
    await ask('POST /registries', '/registries', 409, registry)
    await ask('POST /registries', '/registries', 400, { ...registry, name: 'b', url: 'https://u:p@x' })
    expect((await ask('GET /registries/{id}', `/registries/${endpoint}`, 200)).body).toMatchObject({ status: 'unknown' })
    expect((await ask('GET /registries', '/registries?q=name%3D~the', 200)).body).toHaveLength(1)
    const listed = [await ask('GET /registries', '/registries', 200), await ask('GET /registries/{id}', `/registries/${endpoint}`, 200)]
    expect(JSON.stringify(listed.map(({ body }) => body))).not.toContain('Hush')
    await ask('GET /registries/{id}/info', `/registries/${endpoint}/info`, 200)
    const refused = await ask('POST /registries/ping', '/registries/ping', 400, { id: endpoint })
    expect(refused.body).toMatchObject({ errors: [{ code: 'BAD_REQUEST', message: expect.stringMatching(/^DNS: /) }] })
    expect((await ask('GET /registries/{id}', `/registries/${endpoint}`, 200)).body).toMatchObject({
      status: 'unhealthy',
      status_text: expect.stringMatching(/^DNS: /),
    })
    await ask('PUT /registries/{id}', `/registries/${endpoint}`, 400, { url: 'https://elsewhere.invalid' })
    await ask('PUT /registries/{id}', `/registries/${endpoint}`, 200, { description: 'far away', access_secret: '*****' })
    await ask('PUT /registries/{id}', `/registries/${endpoint}`, 400, { jobs_at_once: -1 })
    await ask('PUT /registries/{id}', `/registries/${endpoint}`, 200, { jobs_at_once: 2, speed: 20480 })
    // A client that knows nothing of these leaves them as they are, and how it is used says nothing new of what was seen of it.
    await ask('PUT /registries/{id}', `/registries/${endpoint}`, 200, { name: 'other' })
    const limited = { jobs_at_once: 2, speed: 20480 }
    expect((await ask('GET /registries/{id}', `/registries/${endpoint}`, 200)).body).toMatchObject(limited)

    const rule = { name: 'push-all', dest_registry: { id: endpoint }, trigger: { type: 'manual' }, filters: [{ type: 'name', value: 'team/**' }] }
    const { id: policy } = await ask('POST /replication/policies', '/replication/policies', 201, rule)
    await ask('POST /replication/policies', '/replication/policies', 409, rule)
    await ask('POST /replication/policies', '/replication/policies', 400, { ...rule, name: 'b', dest_registry: null })
    await ask('GET /replication/policies', '/replication/policies', 200)
    await ask('GET /replication/policies/{id}', `/replication/policies/${policy}`, 200)
    await ask('PUT /replication/policies/{id}', `/replication/policies/${policy}`, 200, { ...rule, enabled: true, description: 'x' })
    await ask('DELETE /registries/{id}', `/registries/${endpoint}`, 412)
    const nightly = (cron: string) => ({ ...rule, name: 'nightly', trigger: { type: 'scheduled', trigger_settings: { cron } } })
    for (const cron of ['', '0 3 * * *', '0 0 0 31 2 *']) await ask('POST /replication/policies', '/replication/policies', 400, nightly(cron))
    const { id: scheduled } = await ask('POST /replication/policies', '/replication/policies', 201, nightly('0 0 3 * * *'))
    expect((await ask('GET /schedules', '/schedules', 200)).body).toMatchObject([{ vendor_type: 'REPLICATION', vendor_id: Number(scheduled) }])
    expect((await ask('GET /replication/policies/{id}', `/replication/policies/${scheduled}`, 200)).body).toMatchObject({
      trigger: { type: 'scheduled', trigger_settings: { cron: '0 0 3 * * *' } },
    })
    await ask('DELETE /replication/policies/{id}', `/replication/policies/${scheduled}`, 200)
    const { id: execution } = await ask('POST /replication/executions', '/replication/executions', 201, { policy_id: policy })
    await ask('POST /replication/executions', '/replication/executions', 404, { policy_id: 999 })
    await ask('GET /replication/executions', `/replication/executions?policy_id=${policy}`, 200)
    await ask('GET /replication/executions/{id}', `/replication/executions/${execution}`, 200)
    await ask('GET /replication/executions/{id}/tasks', `/replication/executions/${execution}/tasks`, 200)
    await ask('GET /replication/executions/{id}/tasks/{task_id}/log', `/replication/executions/${execution}/tasks/9/log`, 404)
    await ask('DELETE /replication/policies/{id}', `/replication/policies/${policy}`, 412)
    await ask('PUT /replication/executions/{id}', `/replication/executions/${execution}`, 200)
    await ask('DELETE /replication/policies/{id}', `/replication/policies/${policy}`, 200)
    await ask('DELETE /registries/{id}', `/registries/${endpoint}`, 200)
  })
})

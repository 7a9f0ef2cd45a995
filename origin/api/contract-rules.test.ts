import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { CONTRACT_PRESENT, Contract } from '../testing/contract.ts'
import { openTestOrigin, type TestOrigin } from '../testing/origin.ts'

describe.skipIf(!CONTRACT_PRESENT)('rules for tags and garbage collection keep to the contract', () => {
  let origin: TestOrigin
  let ask: Contract['ask']

  beforeAll(async () => {
    origin = await openTestOrigin()
    ask = new Contract(origin).ask
  })
  afterAll(async () => {
    await origin.close()
  })

  test('immutable tags, answer by answer', async () => {
    await ask('POST /projects', '/projects', 201, { project_name: 'kept' })
    const P = '/projects/{project_name_or_id}/immutabletagrules'
    const at = '/projects/kept/immutabletagrules'
    const rule = {
      action: 'immutable',
      template: 'immutable_template',
      scope_selectors: { repository: [{ kind: 'doublestar', decoration: 'repoMatches', pattern: '**' }] },
      tag_selectors: [{ kind: 'doublestar', decoration: 'excludes', pattern: 'dev-*', extras: '' }],
    }
    const { id } = await ask(`POST ${P}`, at, 201, rule)
    await ask(`POST ${P}`, at, 409, rule)
    await ask('POST /projects', '/projects', 201, { project_name: 'kept-too' })
    await ask(`POST ${P}`, '/projects/kept-too/immutabletagrules', 201, rule)
    for (const pattern of ['', '{a,b', '{a,b}'.repeat(9)]) {
      await ask(`POST ${P}`, at, 400, { ...rule, tag_selectors: [{ kind: 'doublestar', decoration: 'matches', pattern }] })
    }
    await ask(`POST ${P}`, at, 400, { ...rule, tag_selectors: [] })
    await ask(`POST ${P}`, '/projects/none/immutabletagrules', 404, rule)
    await ask(`PUT ${P}/{immutable_rule_id}`, `${at}/${id}`, 200, { ...rule, id, disabled: true })
    await ask(`PUT ${P}/{immutable_rule_id}`, `${at}/4711`, 404, rule)
    // As Harbor's clients switch one off and on.
    await ask(`PUT ${P}/{immutable_rule_id}`, `${at}/${id}`, 200, { disabled: false })
    expect((await ask(`GET ${P}`, at, 200)).body).toMatchObject([{ ...rule, id, disabled: false }])
    await ask(`PUT ${P}/{immutable_rule_id}`, `${at}/4711`, 404, { disabled: true })
    await ask(`PUT ${P}/{immutable_rule_id}`, `${at}/${id}`, 200, { disabled: true })
    expect((await ask(`GET ${P}`, `${at}?page_size=10&sort=-id`, 200)).body).toEqual([
      {
        ...rule,
        id,
        priority: 0,
        disabled: true,
        params: {},
        scope_selectors: { repository: [{ ...rule.scope_selectors.repository[0], extras: '' }] },
      },
    ])
    await ask(`DELETE ${P}/{immutable_rule_id}`, `${at}/${id}`, 200)
    await ask(`DELETE ${P}/{immutable_rule_id}`, `${at}/${id}`, 404)
    await ask(`GET ${P}`, at, 401, undefined, '')
  })

  test('retention, answer by answer', async () => {
    const { id: project } = await ask('POST /projects', '/projects', 201, { project_name: 'lean' })
    await ask('GET /retentions/metadatas', '/retentions/metadatas', 200)
    const policy = {
      algorithm: 'or',
      scope: { level: 'project', ref: project },
      trigger: { kind: 'Schedule', settings: { cron: '0 0 3 * * *' }, references: {} },
      rules: [
        {
          disabled: false,
          action: 'retain',
          template: 'latestPushedK',
          params: { latestPushedK: 10 },
          tag_selectors: [{ kind: 'doublestar', decoration: 'matches', pattern: '**', extras: '{"untagged":true}' }],
          scope_selectors: { repository: [{ kind: 'doublestar', decoration: 'repoMatches', pattern: '**' }] },
        },
      ],
    }
    const R = '/retentions/{id}'
    const { id } = await ask('POST /retentions', '/retentions', 201, policy)
    await ask('POST /retentions', '/retentions', 400, policy)
    const [rule] = policy.rules
    const counts = [undefined, null, '', [], [5], true, '0x5', 1.5, -1].map((latestPushedK) => ({ params: { latestPushedK } }))
    for (const wrong of [...counts, { template: 'sometimes' }, { tag_selectors: [] }]) {
      await ask(`PUT ${R}`, `/retentions/${id}`, 400, { ...policy, rules: [{ ...rule, ...wrong }] })
    }
    for (const cron of ['* * *']) {
      await ask(`PUT ${R}`, `/retentions/${id}`, 400, { ...policy, trigger: { kind: 'Schedule', settings: { cron } } })
    }
    const { id: other } = await ask('POST /projects', '/projects', 201, { project_name: 'lean-too' })
    const elsewhere = { level: 'project', ref: other }
    const rules = (count: number) => Array.from({ length: count }, (_, index) => ({ ...rule, id: index, params: { latestPushedK: index + 1 } }))
    await ask('POST /retentions', '/retentions', 400, { ...policy, scope: elsewhere, rules: rules(16) })
    await ask('POST /retentions', '/retentions', 409, { ...policy, scope: elsewhere, rules: [...rules(3), { ...rules(1)[0], id: 9 }] })
    await ask('POST /retentions', '/retentions', 201, { ...policy, scope: elsewhere, rules: rules(15) })
    await ask(`PUT ${R}`, `/retentions/${id}`, 400, { ...policy, rules: rules(16) })
    await ask(`PUT ${R}`, `/retentions/${id}`, 400, { ...policy, scope: elsewhere })
    await ask(`PUT ${R}`, `/retentions/${id}`, 409, { ...policy, rules: [rule, rule] })
    await ask(`PUT ${R}`, `/retentions/${id}`, 200, { ...policy, rules: rules(15) })
    await ask(`PUT ${R}`, `/retentions/${id}`, 200, { ...policy, id })
    expect((await ask(`GET ${R}`, `/retentions/${id}`, 200)).body).toMatchObject({
      ...policy,
      id,
      rules: [{ ...rule, id: 1, scope_selectors: { repository: [{ pattern: '**' }] } }],
    })
    expect((await ask('GET /projects/{project_name_or_id}', '/projects/lean', 200)).body).toMatchObject({ metadata: { retention_id: String(id) } })
    // A body that was forgotten deletes nothing.
    await ask(`POST ${R}/executions`, `/retentions/${id}/executions`, 400)
    const { id: run } = await ask(`POST ${R}/executions`, `/retentions/${id}/executions`, 201, { dry_run: true })
    await ask(`GET ${R}/executions`, `/retentions/${id}/executions`, 200)
    await ask(`GET ${R}/executions/{eid}/tasks`, `/retentions/${id}/executions/${run}/tasks`, 200)
    await ask(`GET ${R}/executions/{eid}/tasks/{tid}`, `/retentions/${id}/executions/${run}/tasks/4711`, 404)
    await ask(`PATCH ${R}/executions/{eid}`, `/retentions/${id}/executions/${run}`, 400, { action: 'go' })
    await ask(`PATCH ${R}/executions/{eid}`, `/retentions/${id}/executions/${run}`, 200, { action: 'stop' })
    expect((await ask(`GET ${R}/executions`, `/retentions/${id}/executions`, 200)).body).toMatchObject([
      { id: run, status: 'Stopped', dry_run: true },
    ])
    await ask(`GET ${R}`, '/retentions/4711', 404)
    await ask(`GET ${R}`, `/retentions/${id}`, 401, undefined, '')
    await ask(`DELETE ${R}`, `/retentions/${id}`, 200)
    await ask(`GET ${R}`, `/retentions/${id}`, 404)
  })

  test('garbage collection, answer by answer', async () => {
    const S = '/system/gc/schedule'
    const daily = { schedule: { type: 'Custom', cron: '0 0 3 * * *' }, parameters: { delete_untagged: true, dry_run: 'false', workers: 2 } }
    expect((await ask(`GET ${S}`, S, 200)).body).toEqual({})
    await ask(`POST ${S}`, S, 201, daily)
    await ask(`POST ${S}`, S, 409, daily)
    for (const time_window of [-1, 1.5, 'soon', '', null, []]) await ask(`PUT ${S}`, S, 400, { ...daily, parameters: { time_window } })
    await ask(`PUT ${S}`, S, 200, { ...daily, parameters: { time_window: 2 } })
    await ask(`PUT ${S}`, S, 200, { schedule: { type: 'Weekly', cron: '0 0 0 * * 0' } })
    expect((await ask(`GET ${S}`, S, 200)).body).toMatchObject({ schedule: { type: 'Weekly', cron: '0 0 0 * * 0' }, job_status: 'Scheduled' })
    for (const cron of ['', '* * * * *', '0 0 25 * * *', '0 0 0 31 2 *']) await ask(`PUT ${S}`, S, 400, { schedule: { type: 'Custom', cron } })
    await ask(`PUT ${S}`, S, 400, { schedule: { type: 'Now' } })
    await ask(`PUT ${S}`, S, 400, { schedule: { type: 'Manual' }, parameters: { dry_run: 'perhaps' } })
    await ask(`PUT ${S}`, S, 200, { schedule: { type: 'None' } })
    expect((await ask(`GET ${S}`, S, 200)).body).toEqual({})
    const { id } = await ask(`POST ${S}`, S, 201, { schedule: { type: 'Manual' }, parameters: { dry_run: true } })
    await ask(`POST ${S}`, S, 409, { schedule: { type: 'Manual' } })
    await ask('GET /system/gc', '/system/gc?q=job_status=Pending&page_size=1', 200)
    await ask('GET /system/gc', '/system/gc?q=job_status=Perhaps', 400)
    expect((await ask('GET /system/gc/{gc_id}', `/system/gc/${id}`, 200)).body).toMatchObject({
      job_kind: 'MANUAL',
      job_status: 'Pending',
      job_parameters: '{"delete_untagged":false,"dry_run":true}',
    })
    await ask('GET /system/gc/{gc_id}/log', `/system/gc/${id}/log`, 200)
    await ask('PUT /system/gc/{gc_id}', `/system/gc/${id}`, 200)
    expect((await ask('GET /system/gc/{gc_id}', `/system/gc/${id}`, 200)).body).toMatchObject({ job_status: 'Stopped' })
    await ask('GET /system/gc/{gc_id}', '/system/gc/4711', 404)
    await ask('GET /system/gc', '/system/gc', 401, undefined, '')
  })
})

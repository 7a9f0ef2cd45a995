import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { CONTRACT_PRESENT, Contract } from '../testing/contract.ts'
import { openTestOrigin, PASSWORD, type TestOrigin } from '../testing/origin.ts'
import { harborApi } from './harbor-api.ts'
import { NOT_YET } from './not-yet.ts'

/** What older contracts had and clients still ask for: robotv1. */
const ROBOTS = '/projects/{project_name_or_id}/robots'
const OLDER = [`GET ${ROBOTS}`, `POST ${ROBOTS}`, ...['GET', 'PUT', 'DELETE'].map((method) => `${method} ${ROBOTS}/{robot_id}`)]

const ADMIN = `admin:${PASSWORD}`

describe.skipIf(!CONTRACT_PRESENT)('the API keeps to the contract', () => {
  let origin: TestOrigin
  let contract: Contract

  beforeAll(async () => {
    origin = await openTestOrigin()
    contract = new Contract(origin)
  })
  afterAll(async () => {
    await origin.close()
  })

  test('every operation is either served or in the table of those to come, none forgotten and none invented', () => {
    const served = harborApi(origin.origin.services).openAPIRegistry.definitions.flatMap((definition) =>
      definition.type === 'route' ? [`${definition.route.method.toUpperCase()} ${definition.route.path}`] : [],
    )
    const toCome = Object.values(NOT_YET).flat()
    expect([...served, ...toCome].sort()).toEqual([...contract.operations.map(({ key }) => key), ...OLDER].sort())
  })

  test('what is to come says so, in the contract’s shape', async () => {
    for (const operation of Object.values(NOT_YET).flat()) {
      const [method = '', path = ''] = operation.split(' ')
      const response = await origin.ask(method, `/api/v2.0${path.replaceAll(/\{\w+\}/g, '1')}`, { credentials: ADMIN })
      expect({ operation, status: response.status, body: await response.json() }).toMatchObject({
        status: 501,
        body: { errors: [{ code: 'UNSUPPORTED' }] },
      })
    }
    for (const [method, path, allow] of [
      ['DELETE', '/projects', 'GET, HEAD, POST'],
      ['OPTIONS', '/projects/1', 'DELETE, GET, HEAD, PUT'],
      ['POST', '/systeminfo', 'GET, HEAD'],
    ] as const) {
      const { status, headers } = await origin.ask(method, `/api/v2.0${path}`, { credentials: ADMIN })
      expect([method, path, status, headers.get('allow')]).toEqual([method, path, 405, allow])
    }
    const unknown = await origin.ask('GET', '/api/v2.0/nothing', { credentials: ADMIN })
    expect({ status: unknown.status, body: await unknown.json() }).toMatchObject({ status: 404, body: { errors: [{ code: 'NOT_FOUND' }] } })
  })
})

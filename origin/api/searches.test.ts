import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { TestRepository } from '../testing/artifacts.ts'
import { openTestOrigin, PASSWORD, type TestOrigin } from '../testing/origin.ts'
import { fillLists, type ServedList, searchesOf, servedLists } from '../testing/searches.ts'
import { SEARCHES } from './searches.ts'

const ADMIN = `admin:${PASSWORD}`

/** Keys that take a few words only. */
const WORDS = {
  job_status: ['job_status=Success'],
  status: ['status=Success'],
  level: ['level=system'],
  project_id: ['project_id=1'],
}

describe('lists', () => {
  let origin: TestOrigin
  let lists: readonly ServedList[]

  beforeAll(async () => {
    origin = await openTestOrigin()
    await fillLists(origin.origin.services.db)
    lists = servedLists(origin)
  })
  afterAll(() => origin.close())

  const ask = (path: string) => origin.ask('GET', path, { credentials: ADMIN })

  test('that can be searched or sorted are all in one table, and nothing is in it that is not served', () => {
    expect(lists.filter(({ list }) => list === undefined).map(({ operation }) => operation)).toEqual([])
    expect(Object.values(SEARCHES).filter((search) => !lists.some(({ list }) => list === search))).toEqual([])
    expect(lists.length).toBeGreaterThan(25)
  })

  test('answer each condition and order that they say they take', async () => {
    const wrong: string[] = []
    for (const { path, needs, list } of lists) {
      if (list === undefined) continue
      for (const search of searchesOf(list, WORDS)) {
        // Of jobs, one status at a time; registries have one of another kind.
        const words = list === SEARCHES.registries ? search.replace('status%3DSuccess', 'status%3Dhealthy') : search
        const response = await ask(`${path}?${needs}${words}`)
        if (response.status !== 200) wrong.push(`${path}?${needs}${decodeURIComponent(search)}: ${response.status} ${await response.text()}`)
      }
    }
    expect(wrong).toEqual([])
  }, 180_000)

  test('find exactly what shows the value that they are asked for, by every key that is shown', async () => {
    const repository = new TestRepository(origin, 'team/app')
    const image = await repository.image('1', {}, 'v1', 'v2')
    await repository.image('2', {})
    await repository.index([image], 'all')
    const config = async (type: string) => repository.blob('{}', type)
    for (const type of ['application/vnd.cncf.helm.config.v1+json', 'application/vnd.wasm.config.v1+json', 'application/x']) {
      await repository.artifact({ config: await config(type), layers: [] }, `t${type.length}`)
    }
    await repository.artifact({ artifactType: 'application/x-y', config: await config('application/vnd.oci.empty.v1+json'), layers: [] })
    const wrong: string[] = []
    let tried = 0
    for (const { path, needs, list, searched } of lists) {
      if (list === undefined || !searched) continue
      const rows = async (q: string) => {
        const answer: unknown = await (await ask(`${path}?${needs}page_size=100${q}`)).json()
        if (!Array.isArray(answer)) wrong.push(`${path} ${decodeURIComponent(q)}: ${JSON.stringify(answer)}`)
        return (Array.isArray(answer) ? answer : []) as Record<string, unknown>[]
      }
      // By its own digest, a child of an index is shown as well.
      const all = (await rows('')).filter((row) => row.digest === undefined || path.endsWith('/artifacts'))
      const idOf = (row: Record<string, unknown>) => row.id ?? row.user_id ?? row.project_id
      for (const key of Object.keys(list.examples)) {
        const values = new Set(all.map((row) => row[key]).filter((value) => ['string', 'number', 'boolean'].includes(typeof value) && value !== ''))
        for (const value of values) {
          const same = all.filter((row) => row[key] === value).map(idOf)
          const text = typeof value === 'string' ? JSON.stringify(value) : String(value)
          const others = typeof value === 'number' ? [`${key}=[${text}~${text}]`] : []
          for (const q of [`${key}=${text}`, `${key}={${text}}`, ...others]) {
            if (q.includes('{') && !list.sortable.includes(key)) continue
            const found = (await rows(`&q=${encodeURIComponent(q)}`)).map(idOf)
            tried++
            if (JSON.stringify(found.toSorted()) !== JSON.stringify(same.toSorted())) wrong.push(`${path} ${q}: ${JSON.stringify({ found, same })}`)
          }
        }
      }
    }
    expect(wrong).toEqual([])
    expect(tried).toBeGreaterThan(200)
  }, 180_000)

  test('pass over any other as Harbor does, and say so', async () => {
    for (const { path, needs, searched, list } of lists) {
      if (list === undefined) continue
      const q = searched ? `&q=${encodeURIComponent('nothing=1,NorThis=~x')}` : ''
      const response = await ask(`${path}?${needs}sort=-no%20such${q}`)
      const plain = await ask(`${path}?${needs}`)
      expect({ path, status: response.status, total: response.headers.get('x-total-count') }).toEqual({
        path,
        status: 200,
        total: plain.headers.get('x-total-count'),
      })
      expect(response.headers.get('warning')).toBe(`299 - "passed over, there is no such key here: ${searched ? 'nothing, NorThis, ' : ''}no?such"`)
      expect(plain.headers.get('warning')).toBeNull()
    }
  })

  test('know their keys by the names that Harbor’s own code has for them, too', async () => {
    const total = async (path: string) => (await ask(path)).headers.get('x-total-count')
    expect(await total('/api/v2.0/projects?q=ProjectID=1')).toBe('1')
    expect(await total('/api/v2.0/projects?q=ProjectID=1,Name=nothing')).toBe('0')
    expect(await total('/api/v2.0/users?q=UserID=1,SysadminFlag=true,Username=~ADM')).toBe('1')
    expect(await total('/api/v2.0/robots?q=Level=project,ProjectID=1')).toBe('0')
  })

  test('say in the API’s own page what they take', async () => {
    const document = (await (await ask('/api/v2.0/openapi.json')).json()) as {
      paths: Record<string, Record<string, { parameters?: { name: string; in: string; description?: string }[] }>>
    }
    for (const { operation, searched, list } of lists) {
      const [method = '', path = ''] = operation.split(' ')
      const parameters = document.paths[path]?.[method.toLowerCase()]?.parameters ?? []
      const said = (name: string) => parameters.find((each) => each.in === 'query' && each.name === name)?.description
      for (const key of list?.sortable ?? []) expect(said('sort')).toContain(key)
      if (searched) for (const key of Object.keys(list?.examples ?? {})) expect(said('q')).toContain(`${key}=`)
    }
  })
})

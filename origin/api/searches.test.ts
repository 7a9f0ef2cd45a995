import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openTestOrigin, PASSWORD, type TestOrigin } from '../testing/origin.ts'
import { fillLists, type ServedList, searchesOf, servedLists } from '../testing/searches.ts'
import { SEARCHES } from './searches.ts'

const ADMIN = `admin:${PASSWORD}`

/** Keys that take a few words only. */
const WORDS = {
  job_status: ['job_status=Success'],
  status: ['status=Success'],
  Level: ['Level=project,ProjectID=1'],
  level: ['level=system'],
  ProjectID: ['ProjectID=1'],
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
        // Conditions of a robot's level contradict each other.
        if ((search.match(/level/gi)?.length ?? 0) > 1 || (search.match(/ProjectID/g)?.length ?? 0) > 1) continue
        const response = await ask(`${path}?${needs}${search}`)
        if (response.status !== 200) wrong.push(`${path}?${needs}${decodeURIComponent(search)}: ${response.status} ${await response.text()}`)
      }
    }
    expect(wrong).toEqual([])
  }, 60_000)

  test('refuse any other, and say which there are', async () => {
    for (const { path, needs, searched, list } of lists) {
      const sorted = await ask(`${path}?${needs}sort=nothing`)
      expect({ path, status: sorted.status }).toEqual({ path, status: 400 })
      if (list === undefined || !searched) continue
      const response = await ask(`${path}?${needs}q=${encodeURIComponent('nothing=1')}`)
      const text = await response.text()
      expect({ path, status: response.status }).toEqual({ path, status: 400 })
      for (const key of Object.keys(list.keys)) expect(text).toContain(key)
    }
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
      if (searched) for (const key of Object.keys(list?.keys ?? {})) expect(said('q')).toContain(`${key}=`)
    }
  })
})

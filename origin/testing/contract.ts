import { existsSync, readFileSync } from 'node:fs'
import { Ajv } from 'ajv'
import { expect } from 'vitest'
import { parse } from 'yaml'
import { PASSWORD, type TestOrigin } from './origin.ts'

// Harbor's contract is not part of this project; it is looked for beside it.
const FILE = new URL('../../../shared/reference/harbor-swagger.yaml', import.meta.url)
/** Whether the contract is there to check against. */
export const CONTRACT_PRESENT = existsSync(FILE)
if (!CONTRACT_PRESENT) process.stderr.write('Left out: answers against the contract. Put harbor-swagger.yaml into ../shared/reference to run it.\n')

interface Answer {
  schema?: unknown
  $ref?: string
}
interface Document {
  paths: Record<string, Record<string, { operationId: string; responses: Record<string, Answer> }>>
  definitions: Record<string, unknown>
  responses: Record<string, Answer>
}

const ADMIN = `admin:${PASSWORD}`
/** Statuses that any operation may answer with, listed or not: nobody can avoid them. */
const ALWAYS = [400, 401, 403, 413, 415, 429, 503]
/** What the contract forgot: a project, rule or execution in the path that is not there, a name that is taken, a rule that is there already. */
const FORGOTTEN: Record<string, number[]> = {
  getRetention: [404],
  deleteArtifact: [412],
  getRetentionTaskLog: [404],
  createProjectMember: [404],
  getReplicationPolicy: [404],
  startReplication: [404],
  listReplicationTasks: [404],
  CreateRobot: [409],
  CreateImmuRule: [409],
  createRetention: [409],
  updateRetention: [409],
  updateUserPassword: [404],
  updateUserProfile: [409],
}

/** Harbor's contract, and a live origin that is held against it. */
export class Contract {
  readonly #origin: TestOrigin
  readonly #document: Document = CONTRACT_PRESENT ? (parse(readFileSync(FILE, 'utf8')) as Document) : { paths: {}, definitions: {}, responses: {} }
  readonly #ajv = new Ajv({ strict: false, validateFormats: false })
  /** Each with its key as the contract writes it: `GET /projects`. */
  readonly operations = Object.entries(this.#document.paths).flatMap(([path, methods]) =>
    Object.entries(methods)
      .filter(([method]) => method !== 'parameters')
      .map(([method, operation]) => ({ key: `${method.toUpperCase()} ${path}`, ...operation })),
  )

  constructor(origin: TestOrigin) {
    this.#origin = origin
    // Any value at all, which Swagger 2.0 cannot say.
    const { InternalConfigurationValue: anything } = this.#document.definitions as Record<string, { properties?: Record<string, unknown> }>
    if (anything?.properties) anything.properties.value = {}
    this.#ajv.addSchema({ $id: 'contract', definitions: toJsonSchema(this.#document.definitions) })
  }

  /** Asks, holds the answer against the contract, and gives its body. `key` is the operation as the contract writes it; `credentials` '': nobody's. */
  ask = async (key: string, path: string, status: number, json?: unknown, credentials: string = ADMIN) => {
    const [method = ''] = key.split(' ')
    const operation = this.operations.find((each) => each.key === key)
    if (operation === undefined) throw new Error(`the contract has no ${key}`)
    const response = await this.#origin.ask(method, `/api/v2.0${path}`, {
      ...(credentials !== '' && { credentials }),
      ...(json !== undefined && { json }),
    })
    const text = await response.text()
    expect({ key, status: response.status, text: response.status === status ? '' : text }).toEqual({ key, status, text: '' })
    const listed = Object.keys(operation.responses).map(Number)
    expect([...listed, ...ALWAYS, ...(FORGOTTEN[operation.operationId] ?? [])], `${key} may answer ${status}`).toContain(status)
    expect(response.headers.get('X-Request-Id')).toBeTruthy()
    if (text === '' && method !== 'HEAD') expect(response.headers.get('Content-Type'), `${key} has nothing to say of no body`).toBeNull()
    const stated = operation.responses[status]
    const answer = stated?.$ref === undefined ? stated : this.#document.responses[stated.$ref.split('/').at(-1) ?? '']
    const isJson = response.headers.get('content-type')?.includes('json') ?? false
    const body: unknown = isJson && text !== '' ? JSON.parse(text) : text
    const schema = status >= 400 ? { $ref: '#/definitions/Errors' } : answer?.schema
    if (schema !== undefined && text !== '') {
      const validate = this.#ajv.compile(toJsonSchema(schema) as object)
      // What is a string there is the body itself, whatever it is in.
      const value = isText(schema) ? text : body
      expect(validate(value) ? [] : validate.errors, `${key} ${text.slice(0, 300)}`).toEqual([])
    }
    if (status === 201) expect(response.headers.get('Location')).toMatch(/^\/api\/v2\.0\//)
    return { body, headers: response.headers, id: Number(response.headers.get('Location')?.split('/').at(-1)) }
  }
}

const isText = (schema: unknown) => typeof schema === 'object' && schema !== null && 'type' in schema && schema.type === 'string'

/** Swagger 2.0's dialect as JSON Schema: references into the definitions, `x-nullable`, and a map of bare objects, which is of anything in Go. */
function toJsonSchema(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(toJsonSchema)
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value).map(([key, inner]) =>
    key === '$ref' && typeof inner === 'string' ? [key, `contract${inner}`] : [key, key === 'enum' ? inner : toJsonSchema(inner)],
  )
  const schema: Record<string, unknown> = Object.fromEntries(entries)
  if (JSON.stringify(schema.additionalProperties) === '{"type":"object"}') schema.additionalProperties = true
  if (schema['x-nullable'] === true && typeof schema.type === 'string') schema.type = [schema.type, 'null']
  return schema
}

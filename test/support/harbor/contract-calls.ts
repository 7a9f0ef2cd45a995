import { existsSync, readFileSync } from 'node:fs'
import { Ajv } from 'ajv'
import { parse } from 'yaml'

// Harbor's contract is not part of this project; it is looked for beside it.
const FILE = new URL('../../../../shared/reference/harbor-swagger.yaml', import.meta.url)
export const HARBOR_CONTRACT = existsSync(FILE)

interface Parameter {
  readonly $ref?: string
  readonly name: string
  readonly in: string
  readonly required?: boolean
  readonly type?: string
  readonly enum?: readonly string[]
  readonly schema?: object
}
interface Operation {
  readonly operationId: string
  readonly parameters?: readonly Parameter[]
}
interface Document {
  readonly paths: Record<string, Record<string, Operation | readonly Parameter[]>>
  readonly definitions: Record<string, unknown>
  readonly parameters: Record<string, Parameter>
}

export interface Call {
  readonly method: string
  /** Below /api/v2.0. */
  readonly path: string
  readonly query: URLSearchParams
  readonly headers: Headers
  readonly body: string
}

/** Holds requests against Harbor's contract: that there is such an operation, and that it takes these parameters and this body. */
export class ContractCalls {
  readonly #document = parse(readFileSync(FILE, 'utf8')) as Document
  readonly #ajv = new Ajv({ strict: false, validateFormats: false, allErrors: true })
  /** The operations that were asked for. */
  readonly seen: string[] = []
  /** What was wrong with calls. */
  readonly faults: string[] = []

  constructor() {
    this.#ajv.addSchema({ $id: 'contract', definitions: closed(this.#document.definitions) })
  }

  check(call: Call): void {
    const found = this.#find(call)
    const fault = (text: string) => this.faults.push(`${call.method} ${call.path}: ${text}`)
    if (found === undefined) {
      fault('there is no such operation')
      return
    }
    const { operation, values } = found
    this.seen.push(operation.operationId)
    const parameters = (operation.parameters ?? []).map((one) => (one.$ref === undefined ? one : this.#parameter(one.$ref)))
    const known = new Set(parameters.filter((one) => one.in === 'query').map(({ name }) => name))
    for (const name of call.query.keys()) if (!known.has(name)) fault(`it takes no ${name}`)
    for (const parameter of parameters) {
      const { name, required, type, enum: allowed } = parameter
      if (parameter.in === 'body') {
        this.#checkBody(call, parameter, fault)
        continue
      }
      const value = parameter.in === 'query' ? call.query.get(name) : parameter.in === 'path' ? (values.get(name) ?? null) : call.headers.get(name)
      if (value === null) {
        if (required === true) fault(`${name} is missing`)
        continue
      }
      if (type === 'integer' && !/^-?\d+$/.test(value)) fault(`${name} is no number: ${value}`)
      if (type === 'boolean' && value !== 'true' && value !== 'false') fault(`${name} is no yes or no: ${value}`)
      if (allowed !== undefined && !allowed.includes(value)) fault(`${name} is none of ${allowed.join(', ')}`)
    }
    if (call.body !== '' && !parameters.some((one) => one.in === 'body')) fault('it takes no body')
  }

  #checkBody(call: Call, { required, schema = {} }: Parameter, fault: (text: string) => void): void {
    if (call.body === '') {
      if (required === true) fault('its body is missing')
      return
    }
    if (!/^application\/json\b/.test(call.headers.get('content-type') ?? '')) fault('its body is not said to be JSON')
    const validate = this.#ajv.compile(closed(schema) as object)
    if (!validate(JSON.parse(call.body)))
      for (const { instancePath, message, params } of validate.errors ?? []) fault(`body${instancePath} ${message} ${JSON.stringify(params)}`)
  }

  #parameter(reference: string): Parameter {
    const found = this.#document.parameters[reference.split('/').at(-1) ?? '']
    if (found === undefined) throw new Error(`the contract has no ${reference}`)
    return found
  }

  #find({ method, path }: Call): { readonly operation: Operation; readonly values: ReadonlyMap<string, string> } | undefined {
    for (const [template, methods] of Object.entries(this.#document.paths)) {
      const operation = methods[method.toLowerCase()]
      if (operation === undefined || !('operationId' in operation)) continue
      const names = [...template.matchAll(/\{([^}]+)\}/g)].map(([, name = '']) => name)
      const match = new RegExp(`^${template.replace(/\{[^}]+\}/g, '([^/]+)')}$`).exec(path)
      if (match !== null) return { operation, values: new Map(names.map((name, at) => [name, match[at + 1] ?? ''])) }
    }
    return undefined
  }
}

/** Swagger 2.0 as JSON Schema, in which an object has the properties that are named and no others. */
function closed(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(closed)
  if (typeof value !== 'object' || value === null) return value
  const schema = Object.fromEntries(
    Object.entries(value).map(([key, inner]) => (key === '$ref' && typeof inner === 'string' ? [key, `contract${inner}`] : [key, closed(inner)])),
  ) as Record<string, unknown>
  if (schema.type === 'object' && schema.properties !== undefined && schema.additionalProperties === undefined) schema.additionalProperties = false
  if (schema['x-nullable'] === true && typeof schema.type === 'string') schema.type = [schema.type, 'null']
  return schema
}

import { Hono } from 'hono'
import type { Principal } from '../../policy/facts.ts'
import { RegistryError } from '../../registry/spec/errors.ts'
import type { KeyRing } from '../identity/key-ring.ts'
import type { OriginServices } from '../services.ts'

const PATH = '/api/atoll/v1/keys'

/** What administrators do with the keys that this origin signs with. */
export function keysApi(services: Pick<OriginServices, 'authenticate' | 'authorize'>, keys: KeyRing): Hono {
  const administrator = async (request: Request, action: 'create' | 'list' | 'delete'): Promise<Principal> => {
    const principal = await services.authenticate(request)
    await services.authorize(principal, { resource: 'signing-key', action }, undefined)
    return principal
  }
  const list = async () =>
    (await keys.list()).map(({ kid, createdAt, retiredAt, signs }) => ({
      kid,
      created_at: new Date(createdAt).toISOString(),
      retired_at: retiredAt === undefined ? undefined : new Date(retiredAt).toISOString(),
      signs,
    }))
  return new Hono()
    .get(PATH, async (c) => {
      await administrator(c.req.raw, 'list')
      return c.json(await list())
    })
    .post(PATH, async (c) => {
      const { id } = await administrator(c.req.raw, 'create')
      await keys.rotate(id)
      return c.json(await list(), 201)
    })
    .delete(`${PATH}/:kid`, async (c) => {
      const { id } = await administrator(c.req.raw, 'delete')
      if (!(await keys.withdraw(c.req.param('kid'), id))) throw new RegistryError('NAME_UNKNOWN', 'There is no such key.')
      return c.body(null, 204)
    })
}

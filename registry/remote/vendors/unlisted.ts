import { RegistryError } from '../../spec/errors.ts'
import { generic } from './generic.ts'
import type { Vendor } from './vendor.ts'

// Registries that keep to the specification, and list their repositories to nobody: a rule names those it means.

const unlisted = (type: string): Vendor => ({
  ...generic,
  type,
  open: ({ base }) => ({
    repositories: async () => {
      throw new RegistryError('UNSUPPORTED', `${base.host} does not list its repositories. Name those that are meant, without wildcards.`, {
        upstream: base.host,
      })
    },
  }),
})

export const githubGhcr = unlisted('github-ghcr')
/** Oracle's. One logs in as TENANCY/USER with an auth token; repositories begin with the tenancy's namespace. */
export const ocir = unlisted('ocir')
export const gitlab = unlisted('gitlab')

// The kinds of registries that an endpoint may be, by Harbor's names, and how a form asks for each.

export interface RegistryType {
  readonly description: string
  /** Where it is, for those that are in one place. */
  readonly endpoints: readonly { readonly key: string; readonly value: string }[]
}

export const REGISTRY_TYPES: Readonly<Record<string, RegistryType>> = {
  harbor: { description: 'Harbor', endpoints: [] },
  atoll: { description: 'Another Atoll', endpoints: [] },
  'docker-hub': { description: 'Docker Hub', endpoints: [{ key: 'hub.docker.com', value: 'https://hub.docker.com' }] },
  'docker-registry': { description: 'Any registry that follows the OCI distribution specification', endpoints: [] },
  quay: { description: 'Quay', endpoints: [{ key: 'quay.io', value: 'https://quay.io' }] },
  'github-ghcr': { description: 'GitHub’s container registry', endpoints: [{ key: 'ghcr.io', value: 'https://ghcr.io' }] },
  gitlab: { description: 'GitLab’s container registry', endpoints: [{ key: 'gitlab.com', value: 'https://registry.gitlab.com' }] },
  'aws-ecr': { description: 'Amazon ECR', endpoints: [] },
  'azure-acr': { description: 'Azure Container Registry', endpoints: [] },
  'google-gcr': { description: 'Google Container Registry and Artifact Registry', endpoints: [{ key: 'gcr.io', value: 'https://gcr.io' }] },
}

/** What sets a replication rule off. */
export const TRIGGERS = ['manual', 'scheduled', 'event_based'] as const

/** The filters of a replication rule, for forms. */
export function resourceFilters(): { type: string; style: string; values?: string[] }[] {
  return [
    { type: 'name', style: 'input' },
    { type: 'tag', style: 'input' },
    { type: 'label', style: 'input' },
    { type: 'resource', style: 'radio', values: ['image', 'artifact'] },
  ]
}

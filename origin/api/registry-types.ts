// The kinds of registries that an endpoint may be, by Harbor's names, and how a form asks for each.

interface Place {
  readonly key: string
  readonly value: string
}

export interface RegistryType {
  readonly description: string
  /** Where it is, for those that are in known places: then a form offers them, and one place is filled in. */
  readonly places?: readonly Place[]
  /** What the name is, where it is always the same. */
  readonly fixedUser?: string
  /** The secret is a file's content. */
  readonly secretFile?: string
}

const AWS_REGIONS =
  'us-east-2 us-east-1 us-west-1 us-west-2 af-south-1 ap-east-1 ap-south-1 ap-northeast-3 ap-northeast-2 ap-southeast-1 ap-southeast-2 ap-northeast-1 ca-central-1 eu-central-1 eu-west-1 eu-west-2 eu-south-1 eu-west-3 eu-north-1 me-south-1 sa-east-1'.split(
    ' ',
  )
const AWS_CHINA = ['cn-north-1', 'cn-northwest-1']
const GCR_HOSTS = ['gcr.io', 'us.gcr.io', 'eu.gcr.io', 'asia.gcr.io']
const OCIR_REGIONS = ['fra', 'lhr', 'ams', 'zrh', 'iad', 'phx', 'yyz', 'gru', 'nrt', 'icn', 'bom', 'syd']

const at = (host: string): Place => ({ key: host, value: `https://${host}` })
const SERVICE_ACCOUNT = { fixedUser: '_json_key', secretFile: 'The key file of a service account, in JSON' }

export const REGISTRY_TYPES: Readonly<Record<string, RegistryType>> = {
  harbor: { description: 'Harbor' },
  atoll: { description: 'Another Atoll' },
  'docker-hub': { description: 'Docker Hub', places: [at('hub.docker.com')] },
  'docker-registry': { description: 'Any registry that follows the OCI distribution specification' },
  'oci-registry': { description: 'Any registry that follows the OCI distribution specification' },
  quay: { description: 'Quay' },
  'github-ghcr': { description: 'GitHub’s container registry', places: [at('ghcr.io')] },
  gitlab: { description: 'GitLab’s container registry' },
  'aws-ecr': {
    description: 'Amazon ECR',
    places: [
      ...AWS_REGIONS.map((region) => ({ key: region, value: `https://api.ecr.${region}.amazonaws.com` })),
      ...AWS_CHINA.map((region) => ({ key: region, value: `https://api.ecr.${region}.amazonaws.com.cn` })),
    ],
  },
  'azure-acr': { description: 'Azure Container Registry' },
  'google-gcr': { description: 'Google Container Registry and Artifact Registry', places: GCR_HOSTS.map(at), ...SERVICE_ACCOUNT },
  'google-gar': { description: 'Google Artifact Registry', ...SERVICE_ACCOUNT },
  ocir: { description: 'Oracle’s container registry', places: OCIR_REGIONS.map((region) => at(`${region}.ocir.io`)) },
  dtr: { description: 'Docker Trusted Registry, Mirantis Secure Registry' },
}

/** How a form asks for an endpoint of a type, in Harbor's words. */
export function formOf({ places = [], fixedUser, secretFile }: RegistryType) {
  const kind = places.length === 0 ? 'Standard' : places.length === 1 ? 'Fix' : 'List'
  return {
    endpoint_pattern: { endpoint_type: `EndpointPatternType${kind}`, endpoints: [...places] },
    credential_pattern: {
      access_key_type: fixedUser === undefined ? 'AccessKeyTypeStandard' : 'AccessKeyTypeFix',
      access_key_data: fixedUser ?? '',
      access_secret_type: secretFile === undefined ? 'AccessSecretTypePass' : 'AccessSecretTypeFile',
      access_secret_data: secretFile ?? '',
    },
  }
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

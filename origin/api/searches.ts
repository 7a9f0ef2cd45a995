import { searchable } from './lists.ts'

const CHANGED = { creation_time: 'time', update_time: 'time' } as const
const named = <const C extends Parameters<typeof searchable>[0]['columns']>(more: C) =>
  searchable({ columns: { id: 'number', name: 'text', description: 'text', ...CHANGED, ...more } })

/** What was done because of a policy, and its parts: columns of Harbor's executions and tasks. */
const RUN = { id: 'number', trigger: 'text', start_time: 'time', end_time: 'time' } as const
const TASK = { id: 'number', run_count: 'number', creation_time: 'time', start_time: 'time', update_time: 'time', end_time: 'time' } as const

/** By Harbor's keys, and what the database calls them. */
export const QUOTA_SORTS: Readonly<Record<string, string>> = {
  'hard.storage': 'storage_limit',
  'used.storage': 'storage_used',
  id: 'id',
  creation_time: 'creation_time',
  update_time: 'update_time',
}

/** Every list of the API that can be searched or sorted, and by what. */
export const SEARCHES = {
  accessories: searchable({ columns: { id: 'number', digest: 'text', size: 'number', creation_time: 'time' } }),
  artifacts: searchable({
    columns: {
      id: 'number',
      type: 'text',
      media_type: 'text',
      manifest_media_type: 'text',
      artifact_type: 'text',
      project_id: 'number',
      repository_id: 'number',
      digest: 'text',
      size: 'number',
      push_time: 'time',
      pull_time: 'time',
    },
    special: { tags: 'text', labels: 'ids', base: 'text' },
  }),
  auditLog: searchable({
    columns: { id: 'number', op_time: 'time' },
    special: {
      username: 'text',
      operation: 'text',
      resource: 'text',
      resource_type: 'text',
      operation_result: 'flag',
      op_result: 'flag',
      project_id: 'id',
    },
    sort: ['username', 'operation', 'resource', 'resource_type'],
  }),
  immutableRules: searchable({ columns: { id: 'number', disabled: 'flag', priority: 'number', project_id: 'number', ...CHANGED } }),
  jobs: searchable({
    columns: { id: 'number', creation_time: 'time', start_time: 'time', update_time: 'time', end_time: 'time' },
    special: { job_status: 'value', status: 'value' },
  }),
  labels: named({ color: 'text', project_id: 'number' }),
  preheatInstances: searchable({
    columns: {
      id: 'number',
      name: 'text',
      description: 'text',
      endpoint: 'text',
      enabled: 'flag',
      default: 'flag',
      insecure: 'flag',
      setup_timestamp: 'number',
    },
  }),
  preheatPolicies: named({ project_id: 'number', provider_id: 'number', enabled: 'flag' }),
  preheatExecutions: searchable({ columns: RUN, special: { status: 'value' } }),
  preheatTasks: searchable({ columns: TASK, special: { status: 'value' } }),
  projects: searchable({
    columns: { project_id: 'number', name: 'text', owner_id: 'number', registry_id: 'number', ...CHANGED },
    special: { public: 'flag', owner: 'value' },
    sort: ['id'],
  }),
  quotas: searchable({ sort: Object.keys(QUOTA_SORTS) }),
  registries: named({ url: 'text', type: 'text', status: 'text', insecure: 'flag', access_key: 'text', credential_type: 'text' }),
  replicationPolicies: named({
    creator: 'text',
    enabled: 'flag',
    override: 'flag',
    replicate_deletion: 'flag',
    src_registry_id: 'number',
    dest_registry_id: 'number',
    dest_namespace: 'text',
  }),
  replicationExecutions: searchable({ sort: ['id', 'status', 'trigger', 'start_time', 'end_time', 'creation_time', 'update_time'] }),
  replicationTasks: searchable({ sort: ['id', 'status', 'resource_type', 'start_time', 'end_time', 'creation_time', 'update_time'] }),
  repositories: searchable({
    columns: { repository_id: 'number', project_id: 'number', description: 'text', pull_count: 'number', ...CHANGED },
    special: { name: 'text' },
    sort: ['id', 'name'],
  }),
  robots: searchable({
    columns: { id: 'number', name: 'text', description: 'text', duration: 'number', expires_at: 'number', disabled: 'flag', ...CHANGED },
    special: { level: 'value', project_id: 'id' },
  }),
  robotsOfProject: named({ duration: 'number', expires_at: 'number', disabled: 'flag' }),
  scanners: searchable({}),
  tags: searchable({
    columns: { id: 'number', name: 'text', repository_id: 'number', artifact_id: 'number', push_time: 'time', pull_time: 'time' },
  }),
  users: searchable({
    columns: { user_id: 'number', username: 'text', email: 'text', realname: 'text', comment: 'text', sysadmin_flag: 'flag', ...CHANGED },
  }),
  webhookPolicies: named({ project_id: 'number', enabled: 'flag', creator: 'text' }),
  webhookExecutions: searchable({ columns: RUN, special: { status: 'value' } }),
  webhookJobs: searchable({ columns: { ...RUN, creation_time: 'time', update_time: 'time', event_type: 'text' }, special: { status: 'value' } }),
  webhookTasks: searchable({ columns: TASK, special: { status: 'value' } }),
} as const

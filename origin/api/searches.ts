import { searchable } from './lists.ts'

const DATED = ['id', 'name', 'creation_time', 'update_time'] as const
const named = () => searchable({ keys: { name: 'text' }, sort: DATED })

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
  accessories: searchable({ keys: {}, sort: ['id', 'digest', 'size', 'creation_time'] }),
  artifacts: searchable({
    keys: {
      tags: 'text',
      digest: 'digest',
      media_type: 'value',
      artifact_type: 'value',
      labels: 'ids',
      id: 'id',
      push_time: 'times',
      pull_time: 'times',
    },
    sort: ['id', 'digest', 'size', 'push_time', 'pull_time'],
  }),
  auditLog: searchable({
    keys: {
      username: 'text',
      operation: 'text',
      resource: 'text',
      resource_type: 'text',
      op_time: 'times',
      operation_result: 'flag',
      project_id: 'id',
    },
    sort: ['id', 'op_time', 'username', 'operation', 'resource', 'resource_type'],
  }),
  immutableRules: searchable({ keys: {}, sort: ['id', 'creation_time', 'update_time'] }),
  jobs: searchable({ keys: { job_status: 'value' }, sort: ['id', 'creation_time', 'update_time'] }),
  labels: named(),
  preheatInstances: searchable({ keys: { name: 'text' }, sort: ['name'] }),
  preheatPolicies: named(),
  preheatExecutions: searchable({ keys: {}, sort: ['id', 'start_time'] }),
  preheatTasks: searchable({ keys: {}, sort: ['id', 'start_time'] }),
  projects: searchable({
    keys: {
      name: 'text',
      public: 'flag',
      owner: 'value',
      owner_id: 'id',
      project_id: 'id',
      registry_id: 'id',
      creation_time: 'times',
      update_time: 'times',
    },
    sort: DATED,
  }),
  quotas: searchable({ keys: {}, sort: Object.keys(QUOTA_SORTS) }),
  registries: searchable({ keys: { name: 'text', type: 'value' }, sort: DATED }),
  replicationPolicies: named(),
  replicationExecutions: searchable({ keys: {}, sort: ['id', 'start_time', 'creation_time', 'update_time'] }),
  replicationTasks: searchable({ keys: {}, sort: ['id', 'start_time', 'creation_time', 'update_time'] }),
  repositories: searchable({ keys: { name: 'text' }, sort: [...DATED, 'pull_count'] }),
  robots: searchable({ keys: { Level: 'value', level: 'value', ProjectID: 'id', project_id: 'id', name: 'text' }, sort: DATED }),
  robotsOfProject: named(),
  scanners: searchable({ keys: {}, sort: [] }),
  tags: searchable({ keys: { name: 'text' }, sort: ['name', 'push_time', 'pull_time'] }),
  users: searchable({ keys: { username: 'text', email: 'text' }, sort: ['user_id', 'username', 'email', 'creation_time', 'update_time'] }),
  webhookPolicies: named(),
  webhookExecutions: searchable({ keys: { status: 'value' }, sort: ['id', 'start_time', 'creation_time', 'update_time'] }),
  webhookJobs: searchable({ keys: {}, sort: ['id', 'start_time', 'creation_time', 'update_time'] }),
  webhookTasks: searchable({ keys: {}, sort: ['id', 'start_time', 'creation_time', 'update_time'] }),
} as const

import { type Amounts, BIG_PROJECT, BIG_REPOSITORY } from './generate.ts'

/** What people ask, `n` times in other words: the path of the request by its number. As whom: the administrator, unless somebody else is named. */
export interface Question {
  readonly what: string
  readonly as?: 'tenant' | 'anonymous'
  readonly path: (n: number) => string
}

const CONFIG = 'application/vnd.oci.image.config.v1+json'

const pad = (n: number) => String(n).padStart(5, '0')
const encoded = encodeURIComponent

export function questionsOf({ projects, repositories, artifacts, people }: Amounts): readonly Question[] {
  const project = (n: number) => `project-${pad(((n * 37) % (projects - 2)) + 2)}`
  const projectId = (n: number) => ((n * 37) % (projects - 2)) + 12
  const deep = (rows: number, size: number) => Math.max(1, Math.floor(rows / size) - 1)
  const bigRepository = `/projects/${BIG_PROJECT}/repositories/app`
  const small = (n: number) => {
    // Of those that are not in the big project, which is the first.
    const repository = repositories - 1 - ((n * 41) % Math.floor(projects - 2))
    return `/projects/project-${pad((repository % projects) + 1)}/repositories/service-${repository}`
  }
  const oneTag = (n: number) => `v${((n * 997) % Math.floor(artifacts / 10)) + 1}`
  const api = (path: (n: number) => string) => (n: number) => `/api/v2.0${path(n)}`
  const list: readonly Question[] = [
    { what: 'projects', path: api((n) => `/projects?page=${n + 1}`) },
    { what: 'projects, the last page', path: api(() => `/projects?page_size=100&page=${deep(projects, 100)}`) },
    { what: 'projects, the newest first', path: api((n) => `/projects?sort=-creation_time&page_size=100&page=${n + 1}`) },
    { what: 'projects by a part of the name', path: api((n) => `/projects?q=${encoded(`name=~t-0${pad(n).slice(-2)}`)}`) },
    { what: 'projects by name', path: api((n) => `/projects?name=${project(n)}`) },
    { what: 'public projects', path: api((n) => `/projects?public=true&page=${n + 1}`) },
    { what: 'projects that one may see', as: 'tenant', path: api((n) => `/projects?page_size=100&page=${n + 1}`) },
    { what: 'projects that anybody may see', as: 'anonymous', path: api((n) => `/projects?page_size=100&page=${n + 1}`) },
    { what: 'a project', path: api((n) => `/projects/${project(n)}`) },
    { what: 'the summary of a project', path: api((n) => `/projects/${project(n)}/summary`) },
    { what: 'the summary of the big project', path: api(() => `/projects/${BIG_PROJECT}/summary`) },
    { what: 'members of a project', path: api((n) => `/projects/${project(n)}/members`) },
    { what: 'repositories of a project', path: api((n) => `/projects/${project(n)}/repositories`) },
    { what: 'repositories of the big project', path: api((n) => `/projects/${BIG_PROJECT}/repositories?page_size=100&page=${n + 1}`) },
    { what: 'the last page of them', path: api(() => `/projects/${BIG_PROJECT}/repositories?page_size=100&page=${deep(repositories / 10, 100)}`) },
    { what: 'the same by a part of the name', path: api((n) => `/projects/${BIG_PROJECT}/repositories?q=${encoded(`name=~ce-${n + 10}`)}`) },
    { what: 'the same by pulls', path: api((n) => `/projects/${BIG_PROJECT}/repositories?sort=-pull_count&page=${n + 1}`) },
    { what: 'all repositories', path: api((n) => `/repositories?page=${n + 1}`) },
    { what: 'all repositories, the last page', path: api(() => `/repositories?page_size=100&page=${deep(repositories, 100)}`) },
    { what: 'all repositories by a part of the name', path: api((n) => `/repositories?q=${encoded(`name=~ce-${n + 100}`)}`) },
    { what: 'all repositories by a part of two letters', path: api((n) => `/repositories?q=${encoded(`name=~-${n % 10}`)}`) },
    { what: 'all repositories, the last changed first', path: api((n) => `/repositories?sort=-update_time&page=${n + 1}`) },
    { what: 'repositories that one may see', as: 'tenant', path: api((n) => `/repositories?page=${n + 1}`) },
    { what: 'the same by a part of the name', as: 'tenant', path: api((n) => `/repositories?q=${encoded(`name=~ce-${n + 10}`)}`) },
    { what: 'a repository', path: api((n) => small(n)) },
    { what: 'search', path: api((n) => `/search?q=service-${n + 100}`) },
    { what: 'search for what is not there', path: api((n) => `/search?q=nothing-${n}`) },
    { what: 'search for what is everywhere', path: api(() => '/search?q=service') },
    { what: 'search by one who is no administrator', as: 'tenant', path: api((n) => `/search?q=project-00${pad(n).slice(-3)}`) },
    { what: 'search by nobody', as: 'anonymous', path: api((n) => `/search?q=service-${n + 100}`) },
    { what: 'artifacts of a repository', path: api((n) => `${small(n)}/artifacts`) },
    { what: 'artifacts of the big one', path: api((n) => `${bigRepository}/artifacts?page=${n + 1}`) },
    {
      what: 'the same with tags, labels, immutability and accessories',
      path: api(
        (n) => `${bigRepository}/artifacts?page_size=100&page=${n + 1}&with_tag=true&with_label=true&with_immutable_status=true&with_accessory=true`,
      ),
    },
    { what: 'the same, the last page', path: api(() => `${bigRepository}/artifacts?page_size=100&page=${deep(artifacts / 10, 100)}`) },
    { what: 'the same by size', path: api((n) => `${bigRepository}/artifacts?sort=-size&page=${n + 1}`) },
    { what: 'the same by the last pull', path: api((n) => `${bigRepository}/artifacts?sort=-pull_time&page=${n + 1}`) },
    { what: 'the same by a tag', path: api((n) => `${bigRepository}/artifacts?q=${encoded(`tags=${oneTag(n)}`)}`) },
    { what: 'the same by a part of a tag', path: api((n) => `${bigRepository}/artifacts?q=${encoded(`tags=~${oneTag(n)}`)}`) },
    { what: 'the same without a tag', path: api(() => `${bigRepository}/artifacts?q=${encoded('tags=nil')}`) },
    { what: 'the same with any tag', path: api(() => `${bigRepository}/artifacts?q=${encoded('tags=*')}`) },
    { what: 'the same with a label', path: api((n) => `${bigRepository}/artifacts?q=${encoded(`labels=(${((n * 10) % projects) + 11})`)}`) },
    { what: 'the same by its type', path: api((n) => `${bigRepository}/artifacts?q=${encoded('type=IMAGE')}&page=${n + 1}`) },
    { what: 'the same by a type that none has', path: api(() => `${bigRepository}/artifacts?q=${encoded('media_type=application/x')}`) },
    { what: 'one artifact', path: api((n) => `${bigRepository}/artifacts/${oneTag(n)}`) },
    { what: 'its tags', path: api((n) => `${bigRepository}/artifacts/${oneTag(n)}/tags`) },
    { what: 'its accessories', path: api((n) => `${bigRepository}/artifacts/${oneTag(n)}/accessories`) },
    { what: 'artifacts of a project', path: api((n) => `/projects/${project(n)}/artifacts`) },
    { what: 'artifacts of the big project', path: api((n) => `/projects/${BIG_PROJECT}/artifacts?page=${n + 1}`) },
    {
      what: 'the newest of each repository of a project',
      path: api((n) => `/projects/${project(n)}/artifacts?latest_in_repository=true&q=${encoded(`media_type=${CONFIG}`)}`),
    },
    {
      what: 'the newest of each of the big project',
      path: api((n) => `/projects/${BIG_PROJECT}/artifacts?latest_in_repository=true&q=${encoded(`media_type=${CONFIG}`)}&page=${n + 1}`),
    },
    { what: 'audit log', path: api((n) => `/audit-logs?page=${n + 1}`) },
    { what: 'audit log, a deep page', path: api((n) => `/audit-logs?page_size=100&page=${n + 5_000}`) },
    { what: 'audit log of a user', path: api((n) => `/audit-logs?q=${encoded(`username=person-${pad((n % people) + 1)}`)}`) },
    { what: 'audit log of an operation', path: api((n) => `/audit-logs?q=${encoded(`operation=${n % 2 === 0 ? 'pull' : 'delete'}`)}&page=${n + 1}`) },
    { what: 'audit log of a day', path: api(() => `/audit-logs?q=${encoded('op_time=[2026-01-01 10:00:00~2026-01-01 20:00:00]')}`) },
    { what: 'audit log by a part of the resource', path: api((n) => `/audit-logs?q=${encoded(`resource=~service-${n + 100}`)}`) },
    { what: 'audit log by a part of the user', path: api((n) => `/audit-logs?q=${encoded(`username=~person-0${pad(n).slice(-2)}`)}`) },
    { what: 'audit log by the kind of resource', path: api((n) => `/audit-logs?q=${encoded('resource_type=artifact')}&page=${n + 1}`) },
    { what: 'audit log by two letters of the resource', path: api((n) => `/audit-logs?q=${encoded(`resource=~${n % 10}${(n * 7) % 10}`)}`) },
    { what: 'audit log of a project', path: api((n) => `/projects/${project(n)}/logs`) },
    { what: 'audit log of the big project', path: api((n) => `/projects/${BIG_PROJECT}/logs?page=${n + 1}`) },
    {
      what: 'audit log of the big project, by operation',
      path: api((n) => `/projects/${BIG_PROJECT}/logs?q=${encoded('operation=create')}&page=${n + 1}`),
    },
    { what: 'audit log of one’s projects', as: 'tenant', path: api((n) => `/audit-logs?page=${n + 1}`) },
    { what: 'quotas', path: api((n) => `/quotas?page=${n + 1}`) },
    { what: 'quotas by use', path: api((n) => `/quotas?sort=-used.storage&page=${n + 1}`) },
    { what: 'users', path: api((n) => `/users?page=${n + 1}`) },
    { what: 'users by a part of the name', path: api((n) => `/users?q=${encoded(`username=~00${n}`)}`) },
    { what: 'users, searched', path: api((n) => `/users/search?username=person-00${n}`) },
    { what: 'robots', path: api((n) => `/robots?page=${n + 1}`) },
    { what: 'robots of a project', path: api((n) => `/robots?q=${encoded(`Level=project,ProjectID=${projectId(n)}`)}`) },
    { what: 'labels of the system', path: api((n) => `/labels?scope=g&page=${n + 1}`) },
    { what: 'labels of a project', path: api((n) => `/labels?scope=p&project_id=${projectId(n)}`) },
    { what: 'statistics', path: api(() => '/statistics') },
    { what: 'statistics of one user', as: 'tenant', path: api(() => '/statistics') },
    { what: '_catalog', path: () => '/v2/_catalog?n=100' },
    { what: '_catalog from the middle', path: (n) => `/v2/_catalog?n=100&last=${encoded(`${project(n)}/a`)}` },
    { what: 'tags/list of the big repository', path: () => `/v2/${BIG_REPOSITORY}/tags/list?n=100` },
    { what: 'tags/list from the middle', path: (n) => `/v2/${BIG_REPOSITORY}/tags/list?n=1000&last=${oneTag(n)}` },
    { what: 'referrers', path: (n) => `/v2/${BIG_REPOSITORY}/referrers/sha256:${'0'.repeat(60)}${String(n).padStart(4, '0')}` },
  ]
  return list
}

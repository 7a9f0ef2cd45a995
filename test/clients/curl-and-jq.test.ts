import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ADMIN_PASSWORD, type AtollProcess, startAtoll } from '../support/atoll.ts'
import { must } from '../support/run.ts'
import { requireTool } from '../support/tools.ts'

// What administrators have in their scripts.

const PROJECTS = ['team-frontend', 'team-backend', 'team-ml', 'customer-alpha', 'customer-beta']
const PRESENT = ['curl', 'jq'].every((tool) => requireTool(tool, `apt-get install ${tool}`) !== undefined)

/** Before each script: `api METHOD PATH [JSON]` prints the answer's status, a space and its body; `as` sets who asks. */
const PRELUDE = `
set -euo pipefail
as() { who=("$@"); }
as -u "admin:$ADMIN_PASSWORD"
api() { curl -sS \${who[@]+"\${who[@]}"} -X "$1" "$H/api/v2.0$2" -H 'Content-Type: application/json' \${3:+-d "$3"} -w '\\n%{http_code}\\n'; }
status() { api "$@" | tail -1; }
code() { api "$@" | sed '$d' | jq -r '.errors[0].code'; }
project() { jq -n --arg name "$1" '{project_name: $name, public: false, storage_limit: 107374182400}'; }
`

describe.skipIf(!PRESENT)('with curl and jq', () => {
  let atoll: AtollProcess
  const script = async (text: string) => {
    const env = { PATH: process.env.PATH ?? '', H: `http://${atoll.origin}`, ADMIN_PASSWORD }
    return (await must('bash', ['-c', PRELUDE + text], { env })).stdout.trim().split('\n')
  }

  beforeAll(async () => {
    atoll = await startAtoll({ role: 'origin' })
  }, 60_000)
  afterAll(async () => {
    await atoll?.[Symbol.asyncDispose]()
  })

  test('projects are made by a loop, each once, and listed', async () => {
    const made = await script(`
      for name in ${PROJECTS.join(' ')}; do
        curl -sSf "\${who[@]}" -X POST "$H/api/v2.0/projects" -H 'Content-Type: application/json' -d "$(project "$name")" -o /dev/null -w '%{http_code} %header{location}\\n'
      done`)
    expect(made).toEqual(PROJECTS.map(() => expect.stringMatching(/^201 \/api\/v2\.0\/projects\/\d+$/)))
    const listed = await script(`curl -sSf "\${who[@]}" "$H/api/v2.0/projects?page_size=100" | jq -r '.[] | [.name, .metadata.public] | @tsv'`)
    expect(listed).toEqual(expect.arrayContaining(PROJECTS.map((name) => `${name}\tfalse`)))
    expect(
      await script(`curl -sSf "\${who[@]}" "$H/api/v2.0/quotas?page_size=100" | jq '[.[] | select(.hard.storage == 107374182400)] | length'`),
    ).toEqual(['5'])
    expect(await script(`status POST /projects "$(project team-ml)"; code POST /projects "$(project team-ml)"`)).toEqual(['409', 'CONFLICT'])
    expect(await script(`status POST /projects "$(project 'Team ML')"; code POST /projects "$(project 'Team ML')"`)).toEqual(['400', 'BAD_REQUEST'])
  })

  test('a stranger is asked who he is, and a member without the right is refused', async () => {
    const member = `{"username": "dora", "password": "Explorer-1", "email": "dora@example.com", "realname": "Dora"}`
    const joined = `{"role_id": 2, "member_user": {"username": "dora"}}`
    expect(await script(`status POST /users '${member}'; status POST /projects/team-ml/members '${joined}'`)).toEqual(['201', '201'])
    expect(await script(`as; status POST /projects "$(project other)"; code POST /projects "$(project other)"`)).toEqual(['401', 'UNAUTHORIZED'])
    const change = `/projects/team-ml '{"metadata": {"public": "true"}}'`
    expect(await script(`as -u dora:Explorer-1; status GET /projects/team-ml; status PUT ${change}; code PUT ${change}`)).toEqual([
      '200',
      '403',
      'FORBIDDEN',
    ])
    expect(await script(`status PUT ${change}; api GET /projects/team-ml | sed '$d' | jq -r .metadata.public`)).toEqual(['200', 'true'])
  })

  test('everything is well', async () => {
    expect(await script(`curl -sSf "$H/api/v2.0/health" | jq -r '.status, (.components[] | select(.status != "healthy") | .name)'`)).toEqual([
      'healthy',
    ])
  })
})

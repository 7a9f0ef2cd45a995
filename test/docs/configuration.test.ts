import { describe, expect, it } from 'vitest'
import { SESSION_VARIABLES } from '../../cli/session.ts'
import { edgeSettings } from '../../edge/settings.ts'
import { originSettings } from '../../origin/config/settings.ts'
import { environmentName } from '../../runtime/settings/define.ts'
import { documentSettings } from '../../runtime/settings/document.ts'
import { parseSettingsFile } from '../../runtime/settings/file.ts'
import { readSettings } from '../../runtime/settings/read.ts'

const EXAMPLE = `external_url: https://registry.example.com
http:
  host: 0.0.0.0
  port: 8080
data_volume: /var/lib/atoll
storage_service:
  kind: s3
  s3:
    endpoint: https://minio.example.com
    bucket: atoll
log:
  level: warn
edge:
  port: 8081
`

const all = { ...originSettings, ...edgeSettings }

const PAGE = `# Configuration

Everything has a default: without any configuration, Atoll serves on 127.0.0.1 and keeps its data in \`./data\`.

Settings come from one YAML file, for origin and edge alike: the one named by \`--config\`, else by \`ATOLL_CONFIG\`, else \`./atoll.yaml\` if it is there.
Each can be overridden by the environment, by one rule: \`ATOLL_\`, then the key in capitals, with \`_\` for each dot. \`http.port\` is \`ATOLL_HTTP_PORT\`.
An empty variable counts as none, and so do those that Kubernetes sets for a service called \`atoll\`. A variable that begins with \`ATOLL_\` and is none of ours is a mistake.

\`\`\`yaml
${EXAMPLE}\`\`\`

A mistake stops the start, and is named with its line: \`atoll.yaml:2: there is no setting http.prot; did you mean http.port?\`

A harbor.yml will do as it is, where it keeps its data in \`data_volume\` or in S3: what it says of parts that Atoll does not have (\`database.password\`, \`trivy\`, \`jobservice\`, \`notification\`, \`upload_purging\`, \`internal_tls\`, \`redis\`, \`storage_service.redirect\`, …) is passed over, with a line for each at the start. A database elsewhere (\`external_database\`), other kinds of storage, and what would change how a bucket is used (\`rootdirectory\`, \`encrypt\`) are mistakes. \`http.host\` is to be added: Harbor listens on every address.

## Origin

${documentSettings(originSettings)}

## Edge

${documentSettings(edgeSettings)}

## Command line

Every command but \`serve\` and \`edge enroll\` reads these, which are no settings and stand in no file. Options (\`--server\`, \`--username\`, \`--password\`) are stronger, what \`atoll login\` kept is weaker.

| Environment | Default | Meaning |
| --- | --- | --- |
| \`ATOLL_SERVER\` | \`http://127.0.0.1:8080\` | The URL of the origin to talk to. |
| \`ATOLL_USERNAME\` | none | Who you are there. |
| \`ATOLL_PASSWORD\` | none | Your password, or the secret of a robot. |
`

describe('docs/configuration.md', () => {
  it('says what the code reads (run this test with -u to write it anew)', async () => {
    await expect(PAGE).toMatchFileSnapshot('../../docs/configuration.md')
  })

  it('has an example that can be read', () => {
    const { values } = readSettings(all, { file: parseSettingsFile(all, { name: 'example', text: EXAMPLE }), env: {} })
    expect(values).toMatchObject({ 'http.host': '0.0.0.0', 'storage_service.kind': 's3', 'edge.port': 8081 })
  })

  it('knows every variable of the command line', () => {
    for (const name of SESSION_VARIABLES) expect(PAGE).toContain(`| \`${name}\` |`)
  })

  it('gives no two settings one name in the environment', () => {
    const names = Object.keys(all).map(environmentName)
    expect(new Set(names).size).toBe(names.length)
  })
})

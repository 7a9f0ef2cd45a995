import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { requireTool } from './tools.ts'
import { until } from './until.ts'

const slapd = requireTool('slapd', 'apt-get install slapd ldap-utils')
export const SLAPD_PRESENT = slapd !== undefined
export const BASE = 'dc=example,dc=org'
export const ROOT = { dn: `cn=admin,${BASE}`, password: 'root-secret' }

/** People, groups, and a group within a group. */
const ENTRIES = `
dn: ${BASE}
objectClass: dcObject
objectClass: organization
o: Example
dc: example

dn: ou=people,${BASE}
objectClass: organizationalUnit
ou: people

dn: ou=groups,${BASE}
objectClass: organizationalUnit
ou: groups

${['ada', 'bob', 'eve', 'newcomer']
  .map(
    (uid) => `dn: uid=${uid},ou=people,${BASE}
objectClass: inetOrgPerson
uid: ${uid}
cn: ${uid} Example
sn: Example
mail: ${uid}@example.org
userPassword: ${uid}-secret
`,
  )
  .join('\n')}
dn: cn=developers,ou=groups,${BASE}
objectClass: groupOfNames
cn: developers
member: uid=ada,ou=people,${BASE}

dn: cn=engineering,ou=groups,${BASE}
objectClass: groupOfNames
cn: engineering
member: cn=developers,ou=groups,${BASE}

dn: cn=admins,ou=groups,${BASE}
objectClass: groupOfNames
cn: admins
member: uid=bob,ou=people,${BASE}
`

/** A real slapd with a few people, on this machine only. */
export class Slapd implements AsyncDisposable {
  readonly #folder: string
  readonly #process: ChildProcess
  readonly url: string
  readonly secureUrl: string
  /** The certificate that it signs with itself. */
  readonly certificate: string

  readonly rootPassword: string

  private constructor(folder: string, process: ChildProcess, port: number, securePort: number, certificate: string, rootPassword: string) {
    this.rootPassword = rootPassword
    this.#folder = folder
    this.#process = process
    this.url = `ldap://127.0.0.1:${port}`
    this.secureUrl = `ldaps://127.0.0.1:${securePort}`
    this.certificate = certificate
  }

  static async start(rootPassword: string = ROOT.password): Promise<Slapd> {
    const folder = await mkdtemp(join(tmpdir(), 'atoll-slapd-'))
    await mkdir(join(folder, 'data'))
    const certificate = join(folder, 'cert.pem')
    execFileSync(
      requireTool('openssl', 'apt-get install openssl') ?? '',
      ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', '/CN=127.0.0.1', '-addext', 'subjectAltName=IP:127.0.0.1'].concat([
        '-keyout',
        join(folder, 'key.pem'),
        '-out',
        certificate,
      ]),
      { stdio: 'ignore' },
    )
    await writeFile(
      join(folder, 'slapd.conf'),
      `include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
modulepath /usr/lib/ldap
moduleload back_mdb
TLSCertificateFile ${certificate}
TLSCertificateKeyFile ${join(folder, 'key.pem')}
pidfile ${join(folder, 'pid')}
database mdb
suffix "${BASE}"
rootdn "${ROOT.dn}"
rootpw ${rootPassword}
directory ${join(folder, 'data')}
access to attrs=userPassword by anonymous auth by * none
access to * by dn.exact="${ROOT.dn}" read by users read by * none
`,
    )
    const [port, securePort] = [await freePort(), await freePort()]
    const process = spawn(
      slapd ?? '',
      ['-d', '0', '-f', join(folder, 'slapd.conf'), '-h', `ldap://127.0.0.1:${port}/ ldaps://127.0.0.1:${securePort}/`],
      {
        stdio: 'ignore',
      },
    )
    const running = new Slapd(folder, process, port, securePort, certificate, rootPassword)
    await until('slapd answers', () => running.#try('ldapwhoami', []))
    await running.change('ldapadd', ENTRIES)
    return running
  }

  /** `ldapadd` or `ldapmodify` with these lines of LDIF. */
  async change(tool: 'ldapadd' | 'ldapmodify', ldif: string): Promise<void> {
    execFileSync(tool, ['-x', '-H', this.url, '-D', ROOT.dn, '-w', this.rootPassword], { input: ldif, stdio: ['pipe', 'ignore', 'inherit'] })
  }

  async remove(dn: string): Promise<void> {
    execFileSync('ldapdelete', ['-x', '-H', this.url, '-D', ROOT.dn, '-w', this.rootPassword, dn])
  }

  #try(tool: string, args: readonly string[]): boolean {
    try {
      execFileSync(tool, ['-x', '-H', this.url, '-D', ROOT.dn, '-w', this.rootPassword, ...args], { stdio: 'ignore' })
      return true
    } catch {
      return false
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#process.exitCode === null) {
      this.#process.kill('SIGTERM')
      await once(this.#process, 'exit')
    }
    await rm(this.#folder, { recursive: true, force: true })
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  server.close()
  await once(server, 'close')
  return port
}

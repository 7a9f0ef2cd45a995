// What clients need to know to ask an edge instead of a registry.

export interface ConfigFile {
  /** Below the folder that the client reads its configuration from. */
  readonly path: string
  readonly text: string
}

export interface MirroredRegistry {
  /** `docker.io`, `registry.example.com:5000`. */
  readonly host: string
  /** It is asked without TLS. */
  readonly plain: boolean
}

export interface MirrorConfig {
  /** Where the edge is. */
  readonly edge: URL
  /** The registries that it stands for. */
  readonly registries: readonly MirroredRegistry[]
  /** Nothing is asked of the registries themselves, even when the edge refuses or is away. */
  readonly only: boolean
  /** A file with the authority that the edge's certificate comes from, as the client's machine has it. */
  readonly ca: string | undefined
}

/** Docker Hub's registry has another address than its name. */
const SERVERS: Readonly<Record<string, string>> = { 'docker.io': 'https://registry-1.docker.io' }

/** `certs.d/<registry>/hosts.toml` for containerd, nerdctl, `ctr --hosts-dir` and Kubernetes' CRI. */
export function containerdFiles({ edge, registries, only, ca }: MirrorConfig): ConfigFile[] {
  return registries.map(({ host, plain }) => ({
    path: `certs.d/${host}/hosts.toml`,
    text: [
      only ? '# Nothing passes by the edge, so its rules hold.' : '# The registry itself is asked where the edge cannot help.',
      `server = ${quoted(only ? edge.origin : (SERVERS[host] ?? `${plain ? 'http' : 'https'}://${host}`))}`,
      '',
      `[host.${quoted(edge.origin)}]`,
      '  capabilities = ["pull", "resolve"]',
      ...(ca === undefined ? [] : [`  ca = ${quoted(ca)}`]),
      '',
    ].join('\n'),
  }))
}

/** `daemon.json` for dockerd, which mirrors Docker Hub and nothing else. */
export function dockerFile({ edge }: Pick<MirrorConfig, 'edge'>): ConfigFile {
  const settings = { 'registry-mirrors': [edge.origin], ...(edge.protocol === 'http:' && { 'insecure-registries': [edge.host] }) }
  return { path: 'daemon.json', text: `${JSON.stringify(settings, undefined, 2)}\n` }
}

/** A basic string of TOML. */
function quoted(text: string): string {
  return JSON.stringify(text)
}

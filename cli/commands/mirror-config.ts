import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { type Command, InvalidArgumentError } from 'commander'
import { type Context, contextOf } from '../context.ts'
import { CliError, EXIT } from '../exit-codes.ts'
import { type ConfigFile, containerdFiles, dockerFile, type MirrorConfig } from '../mirror/config-files.ts'

interface Options {
  readonly edge: string
  readonly registry?: readonly string[]
  readonly only: boolean
  readonly ca?: string
  readonly docker: boolean
  readonly out?: string
}

const HOST = /^[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?(?::\d{1,5})?$/

export function mirrorConfigCommand(edge: Command): void {
  edge
    .command('mirror-config')
    .description('write what containerd (hosts.toml) or dockerd (daemon.json) needs to pull through an edge, by the names that images have')
    .requiredOption('--edge <edge>', 'the edge: its URL, or for a system administrator its name (see `atoll edge ls`)')
    .option('--registry <host...>', 'registries to mirror, for instance docker.io quay.io; all that proxy caches stand for when absent', hosts)
    .option('--only', 'never ask the registries themselves: what the edge refuses stays refused (containerd)', false)
    .option('--ca <file>', 'the authority of the edge’s certificate, as the client’s machine has it (containerd)')
    .option('--docker', 'for dockerd, which mirrors Docker Hub only; set edge.mirror.project at the edge, too', false)
    .option('--out <folder>', 'write the files there, for instance /etc/containerd or /etc/docker; print them when absent')
    .addHelpText('after', EXAMPLES)
    .action(async (options: Options, command: Command) => {
      const passedOver = options.docker ? containerdOnly(options) : []
      if (passedOver.length > 0)
        throw new CliError(
          `dockerd mirrors Docker Hub alone and asks it where its mirror fails: ${passedOver.join(', ')} cannot go with --docker.`,
          EXIT.usage,
        )
      const context = await contextOf(command)
      const url = await edgeUrl(context, options.edge)
      const files = options.docker ? [dockerFile({ edge: url })] : containerdFiles(await configOf(context, options, url))
      await show(context, files, options.out)
    })
}

/** What of these dockerd has no setting for. */
function containerdOnly({ registry, only, ca }: Options): readonly string[] {
  return [registry !== undefined && '--registry', only && '--only', ca !== undefined && '--ca'].filter((option) => option !== false)
}

const EXAMPLES = `
Examples:
  atoll edge mirror-config --edge https://fra-1.example.com --registry docker.io quay.io --out /etc/containerd
  ctr images pull --hosts-dir /etc/containerd/certs.d docker.io/library/nginx:latest
  atoll edge mirror-config --edge fra-1 --docker --out /etc/docker`

/** The address of an edge, by its name or as it is. */
export async function edgeUrl({ api }: Pick<Context, 'api'>, edge: string): Promise<URL> {
  if (edge.includes('://')) {
    const url = URL.parse(edge)
    if (url === null || !/^https?:$/.test(url.protocol))
      throw new CliError(`${edge} is no address; give one like https://fra-1.example.com.`, EXIT.usage)
    return url
  }
  const edges = await api.get<{ name: string; url: string; status: string }[]>('/api/atoll/v1/edges').catch((error: unknown) => {
    if (!(error instanceof CliError) || error.exitCode !== EXIT.denied) throw error
    throw new CliError(`${error.message} Give the edge by its URL instead of its name, like https://${edge}.example.com.`, EXIT.denied, error)
  })
  const found = edges.find(({ name, status }) => name === edge && status !== 'revoked')
  const url = found && URL.parse(found.url)
  if (!url) throw new CliError(`There is no edge ${edge}. See them with: atoll edge ls`, EXIT.notFound)
  return url
}

type Mirrors = Readonly<Record<string, { readonly plain_http: boolean }>>

async function configOf({ api }: Pick<Context, 'api'>, { registry, only, ca }: Options, edge: URL): Promise<MirrorConfig> {
  const mirrors = await api.get<Mirrors>('/api/atoll/v1/mirrors')
  const known = Object.keys(mirrors).sort()
  if (known.length === 0) throw new CliError('No proxy cache stands for a registry yet: atoll project create NAME --proxy ENDPOINT', EXIT.notFound)
  const registries = (registry ?? known).map((host) => {
    const mirrored = mirrors[host]
    if (mirrored !== undefined) return { host, plain: mirrored.plain_http }
    throw new CliError(`No proxy cache stands for ${host}; there are some for ${known.join(', ')}.`, EXIT.notFound)
  })
  return { edge, registries, only, ca }
}

async function show({ out }: Pick<Context, 'out'>, files: readonly ConfigFile[], folder: string | undefined): Promise<void> {
  if (folder === undefined) {
    out.item(
      files,
      files
        .map(({ path, text }) => `# ${path}\n${text}`)
        .join('\n')
        .trimEnd(),
    )
    return
  }
  const written = files.map(({ path, text }) => ({ path: join(folder, path), text }))
  for (const { path, text } of written) await write(path, text)
  out.item(written, written.map(({ path }) => `Wrote ${path}`).join('\n'))
}

/** Somebody's settings are never overwritten. */
async function write(path: string, text: string): Promise<void> {
  try {
    await mkdir(dirname(path), { recursive: true })
    await writeFile(path, text, { flag: 'wx' })
  } catch (error) {
    const exists = error instanceof Error && 'code' in error && error.code === 'EEXIST'
    if (exists) throw new CliError(`${path} is there already. Move it away, or print the new one without --out and merge them.`, EXIT.conflict, error)
    throw new CliError(`${path} cannot be written: ${error instanceof Error ? error.message : error}`, EXIT.failed, error)
  }
}

function hosts(value: string, before: readonly string[] = []): string[] {
  const host = value.toLowerCase()
  if (!HOST.test(host)) throw new InvalidArgumentError('give hosts like docker.io or registry.example.com:5000')
  return [...before, host]
}

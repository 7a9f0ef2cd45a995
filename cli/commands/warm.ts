import type { Command } from 'commander'
import { type Context, contextOf } from '../context.ts'
import { CliError, EXIT, exitCodeOf } from '../exit-codes.ts'
import { bytes } from '../output.ts'
import { edgeUrl } from './mirror-config.ts'

interface Options {
  readonly platform?: readonly string[]
}

/** What the edge tells, a line each. */
type Event =
  | { readonly event: 'plan' | 'done'; readonly digest: string; readonly manifests: number; readonly blobs: number; readonly bytes: number }
  | { readonly event: 'progress'; readonly digest: string; readonly done: number; readonly size: number }
  | { readonly event: 'blob'; readonly digest: string; readonly size: number }
  | { readonly event: 'error'; readonly message: string }

interface Warmed {
  readonly digest: string
  readonly manifests: number
  readonly blobs: number
  readonly bytes: number
}

/** What became of an image. */
type Outcome = { readonly image: string } & (Warmed | { readonly error: { readonly message: string; readonly exitCode: number } })

export function warmCommand(program: Command): void {
  program
    .command('warm <edge> <image...>')
    .description(
      'fetch images to an edge before anybody pulls them: its URL (or, for a system administrator, its name), then images as project/repository:tag',
    )
    .option('--platform <platform...>', 'only these, for instance linux/amd64; every one when absent')
    .action(async (edge: string, images: readonly string[], options: Options, command: Command) => {
      const context = await contextOf(command)
      const url = await edgeUrl(context, edge)
      const outcomes: Outcome[] = []
      for (const image of images) {
        try {
          outcomes.push({ image, ...(await warm(context, url, image, options.platform ?? [])) })
        } catch (error) {
          const exitCode = error instanceof CliError ? error.exitCode : EXIT.failed
          const message = error instanceof Error ? error.message : String(error)
          context.out.error(message, exitCode)
          outcomes.push({ image, error: { message, exitCode } })
        }
      }
      const lines = outcomes.flatMap((each) =>
        'error' in each ? [] : [`${each.image} is at ${url.host}: ${each.digest}, ${each.blobs} blobs, ${bytes(each.bytes)}.`],
      )
      if (context.out.json || lines.length > 0) context.out.item(outcomes, lines.join('\n'))
      const codes = [...new Set(outcomes.flatMap((each) => ('error' in each ? [each.error.exitCode] : [])))]
      // Where they failed for different reasons, none of these is the reason.
      if (codes.length > 0) process.exitCode = codes.length === 1 ? codes[0] : EXIT.failed
    })
}

async function warm({ api, out }: Context, edge: URL, image: string, platforms: readonly string[]): Promise<Warmed> {
  const repository = image.replace(/[@:][^/]*$/, '')
  const token = await api.token(`repository:${repository}:pull`)
  const response = await fetch(new URL('/api/atoll/v1/warm', edge), {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
    body: JSON.stringify({ image, platforms }),
  }).catch((error: unknown) => {
    throw new CliError(`No answer from the edge at ${edge.origin}.`, EXIT.unreachable, error)
  })
  if (!response.ok)
    throw new CliError(`${image}: ${messageIn(await response.text()) ?? `the edge answered ${response.status}`}`, exitCodeOf(response.status))
  let [have, all] = [0, 0]
  for await (const event of events(response)) {
    switch (event.event) {
      case 'plan':
        all = event.bytes
        out.note(`${image}: ${event.blobs} blobs, ${bytes(event.bytes)}`)
        break
      case 'progress':
        out.note(`${image}: ${event.digest.slice(0, 19)} ${bytes(event.done)} of ${bytes(event.size)}`)
        break
      case 'blob':
        have += event.size
        out.note(`${image}: ${event.digest.slice(0, 19)} is there; ${bytes(have)} of ${bytes(all)}`)
        break
      case 'error':
        throw new CliError(`${image}: ${event.message}`, EXIT.failed)
      case 'done':
        return { digest: event.digest, manifests: event.manifests, blobs: event.blobs, bytes: event.bytes }
    }
  }
  throw new CliError(`${image}: the edge broke off in the middle. Run it again: it goes on where it was.`, EXIT.failed)
}

async function* events(response: Response): AsyncGenerator<Event> {
  let rest = ''
  const text = response.body?.pipeThrough(new TextDecoderStream())
  for await (const chunk of text ?? []) {
    const lines = (rest + chunk).split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) yield JSON.parse(line) as Event
  }
}

function messageIn(text: string): string | undefined {
  try {
    const { errors } = JSON.parse(text) as { errors?: { message?: string }[] }
    return errors?.[0]?.message
  } catch {
    return undefined
  }
}

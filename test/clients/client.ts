import type { ImageLayout } from '../support/layout.ts'
import type { Outcome } from '../support/run.ts'

/** One real client of registries, as the tests drive it. */
export interface Client {
  readonly name: string
  /** The programs it needs on PATH, with the way to get them. */
  readonly needs: Readonly<Record<string, string>>
  /** What it does with an index of several platforms: moves it whole, picks its own platform out of it, or knows none. */
  readonly indexes: 'moves' | 'picks' | 'unknown'
  /** Some only write the password down, and find out with the first pull. */
  readonly loginAsks: boolean
  /** Starts it afresh: no login, nothing cached. `workdir` is its own. */
  open(workdir: string): Promise<ClientSession>
}

/** References are `host:port/repository:tag`. Every outcome is the client's own exit code and words. */
export interface ClientSession extends AsyncDisposable {
  login(host: string, username: string, password: string): Promise<Outcome>
  /** Pushes something of its own kind (an image; for helm a chart). */
  push(layout: ImageLayout, reference: string): Promise<Outcome>
  /** Pulls into an empty place, so that every byte comes from the registry. */
  pull(reference: string): Promise<Outcome>
  /** Pushes an index of several platforms, where the client can. */
  pushIndex?(layout: ImageLayout, reference: string): Promise<Outcome>
  /** Pulls the whole index, all platforms. */
  pullIndex?(reference: string): Promise<Outcome>
}

export function hostOf(reference: string): string {
  return reference.slice(0, reference.indexOf('/'))
}

export function splitTag(reference: string): { repository: string; tag: string } {
  const colon = reference.lastIndexOf(':')
  return { repository: reference.slice(0, colon), tag: reference.slice(colon + 1) }
}

/** What the process ends with, so that scripts can tell failures apart. Shown by `atoll help`. */
export const EXIT = {
  ok: 0,
  /** The server refused, or something broke. */
  failed: 1,
  /** The command line makes no sense. */
  usage: 2,
  /** Not logged in, a wrong password, or no right to do this. */
  denied: 3,
  notFound: 4,
  /** It exists already, or something still depends on it. */
  conflict: 5,
  /** Nobody answers at the server's address. */
  unreachable: 6,
} as const

/** An error with a sentence for the person at the terminal. */
export class CliError extends Error {
  override readonly name = 'CliError'
  readonly exitCode: number

  constructor(message: string, exitCode: number = EXIT.failed, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause })
    this.exitCode = exitCode
  }
}

export function exitCodeOf(status: number): number {
  if (status === 401 || status === 403) return EXIT.denied
  if (status === 404) return EXIT.notFound
  if (status === 409 || status === 412) return EXIT.conflict
  return EXIT.failed
}

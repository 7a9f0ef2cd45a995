// What a setting is. One list of settings drives reading the file, reading the environment and writing the documentation.

/** How a value is read; `expected` ends the sentence "expected …" in an error. `read` returns undefined when the value is not one of these. */
export interface Kind<T> {
  readonly expected: string
  read(value: unknown): T | undefined
  /** A value as a person would write it; by default its text. */
  show?(value: T): string
}

export interface Setting<T> {
  readonly kind: Kind<T>
  readonly default: T
  /** A sentence for the documentation. */
  readonly description: string
  /** Never shown: not in errors, not in documentation, not in a log. */
  readonly secret?: boolean
  /** May be changed while we run, where neither file nor environment sets it. */
  readonly live?: boolean
  /** Other names that the file may use for it. */
  readonly aliases?: readonly string[]
}

/** Settings by their key: names joined by dots, as they nest in the file. */
export type Settings = Readonly<Record<string, Setting<unknown>>>

/** What reading settings gives: the value of each by its key. */
export type Values<S extends Settings> = { readonly [K in keyof S]: S[K] extends Setting<infer T> ? T : never }

/** Gives a list of settings its type. */
export function defineSettings<S extends Settings>(settings: S): S {
  return settings
}

export function setting<T>(
  kind: Kind<T>,
  fallback: T,
  description: string,
  options: Pick<Setting<T>, 'secret' | 'aliases' | 'live'> = {},
): Setting<T> {
  return { kind, default: fallback, description, ...options }
}

/** The one rule for the environment: `http.port` is ATOLL_HTTP_PORT. */
export function environmentName(key: string): string {
  return `ATOLL_${key.replaceAll('.', '_').toUpperCase()}`
}

/** Every setting at its default. */
export function defaults<S extends Settings>(settings: S): Values<S> {
  return Object.fromEntries(Object.entries(settings).map(([key, { default: value }]) => [key, value])) as Values<S>
}

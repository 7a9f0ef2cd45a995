/** What something is worth now; several, if it has labels. */
export type Reading = number | readonly { readonly labels: Readonly<Record<string, string>>; readonly value: number }[]

/** One thing to show. A `counter` only grows for as long as the process lives; its name ends with `_total`. */
export interface Shown {
  readonly name: string
  readonly help: string
  readonly kind: 'counter' | 'gauge'
  /** The names of its labels, if it has any. */
  readonly labels?: readonly string[]
  readonly read: () => Reading | Promise<Reading>
}

export function counter(name: string, help: string, of: Pick<Shown, 'labels' | 'read'>): Shown {
  return { name, help, kind: 'counter', ...of }
}

export function gauge(name: string, help: string, of: Pick<Shown, 'labels' | 'read'>): Shown {
  return { name, help, kind: 'gauge', ...of }
}

import type { Page, Slice } from '../../registry/spec/pages.ts'

/** What a keyset statement is asked with: one row too many shows whether another page follows. Every name sorts after the empty one. */
export function keyset(page: Page): { readonly last: string; readonly limit: number } {
  return { last: page.last ?? '', limit: page.limit + 1 }
}

/** The page that the rows of such a statement make. */
export function sliceOf<T>(rows: readonly T[], page: Page): Slice<T> {
  return { items: rows.slice(0, page.limit), more: page.limit > 0 && rows.length > page.limit }
}

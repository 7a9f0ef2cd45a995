import type { SubjectId } from './facts.ts'

/** The number in what is called by its kind and a number: 3 of `user:3`. NaN: there is none, as in `anonymous`. */
export function numberOf(subject: SubjectId): number {
  return Number(subject.slice(subject.indexOf(':') + 1))
}

// What people may be called here, wherever they come from: by the rules of Harbor, and nothing that looks like another name and is none.

const LIMIT = 255
/** Whom the audit log and the changes name where nobody who has an account has done it. */
const OURS = ['anonymous', 'system']
const UNFIT = /[\p{C}\s,~#$%:/\\"'<>]/u

/** Said of a name that cannot be one. */
export const USER_NAME_RULE =
  'has up to 255 characters, no spaces, nothing invisible and none of , ~ # $ % : / \\ " \' < >, and is not anonymous or system'

export function isUserName(name: string): boolean {
  return name !== '' && name.length <= LIMIT && !UNFIT.test(name) && !isOurs(name)
}

/** Of no person: wherever people come from, an account of that name would be taken for this system. */
export function isOurs(name: string): boolean {
  return OURS.includes(name.toLowerCase())
}

/** The nearest name that can be one; empty: there is none. */
export function asUserName(text: string): string {
  return text
    .trim()
    .replaceAll(new RegExp(`(?:${UNFIT.source})+`, 'gu'), '_')
    .slice(0, LIMIT)
}

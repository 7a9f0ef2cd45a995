import { isIP } from 'node:net'
import { isNetwork } from '../http/proxies.ts'
import type { Kind } from './define.ts'

// The kinds of values that settings have. The environment gives text, so each kind also reads its own text.

export const text: Kind<string> = {
  expected: 'a text',
  read: (value) => (typeof value === 'string' ? value : typeof value === 'number' ? String(value) : undefined),
}

/** A text, or nothing: an empty one counts as nothing. */
export const optionalText: Kind<string | undefined> = {
  expected: 'a text',
  read: (value) => (text.read(value) ?? undefined) || undefined,
}

/** The name of a host, or its address, and nothing else; or nothing. */
export const optionalHostname: Kind<string | undefined> = {
  expected: 'the name of a host such as registry.example.com, or its address',
  read: (value) => {
    const name = optionalText.read(value)
    return name !== undefined && (isIP(name) !== 0 || /^[a-z0-9]([a-z0-9._-]*[a-z0-9])?$/i.test(name)) ? name : undefined
  },
}

/** A password by Harbor's rules, or nothing. */
export const optionalPassword: Kind<string | undefined> = {
  expected: 'a password of 8 to 128 characters with an upper-case letter, a lower-case letter and a digit',
  read: (value) => {
    const password = optionalText.read(value)
    return password !== undefined &&
      password.length >= 8 &&
      password.length <= 128 &&
      [/[A-Z]/, /[a-z]/, /[0-9]/].every((kind) => kind.test(password))
      ? password
      : undefined
  },
}

export const boolean: Kind<boolean> = {
  expected: 'true or false',
  read: (value) => (value === true || value === 'true' ? true : value === false || value === 'false' ? false : undefined),
}

export function integer(least: number, most: number): Kind<number> {
  return {
    expected: `a whole number from ${least} to ${most}`,
    read: (value) => {
      const number = typeof value === 'string' && /^-?\d{1,16}$/.test(value) ? Number(value) : value
      return typeof number === 'number' && Number.isInteger(number) && number >= least && number <= most ? number : undefined
    },
  }
}

/** A number of days, or -1 for ever: nothing is good for none. */
export function days(most: number): Kind<number> {
  const { read } = integer(-1, most)
  return { expected: `a whole number from 1 to ${most}, or -1`, read: (value) => read(value) || undefined }
}

/** A path of a URL. */
export const path: Kind<string> = {
  expected: 'a path such as /metrics',
  read: (value) => (typeof value === 'string' && /^(\/[\w.~-]+)+$/.test(value) ? value : undefined),
}

/** 0 lets the system choose a free one. */
export const port: Kind<number> = { ...integer(0, 65_535), expected: 'a port from 0 to 65535' }

export function choice<const T extends string>(...choices: readonly T[]): Kind<T> {
  return {
    expected: `one of ${choices.join(', ')}`,
    read: (value) => choices.find((one) => one === value),
  }
}

const SECONDS = { s: 1, m: 60, h: 3_600, d: 86_400 } as const

/** A length of time such as `90s`, `5m`, `12h` or `1d`; a bare number is seconds. Its value is in seconds. */
export function duration(least: number, most: number): Kind<number> {
  return {
    expected: `a time such as 90s, 5m, 12h or 1d, from ${showDuration(least)} to ${showDuration(most)}`,
    read: (value) => {
      const match = /^(\d{1,9})(s|m|h|d)?$/.exec(String(value))
      if (match?.[1] === undefined) return undefined
      const seconds = Number(match[1]) * SECONDS[(match[2] ?? 's') as keyof typeof SECONDS]
      return seconds >= least && seconds <= most ? seconds : undefined
    },
    show: showDuration,
  }
}

export function showDuration(seconds: number): string {
  for (const [unit, length] of Object.entries(SECONDS).reverse()) {
    if (seconds >= length && seconds % length === 0) return `${seconds / length}${unit}`
  }
  return `${seconds}s`
}

/** An http or https URL without credentials in it, kept without a trailing slash; or nothing. */
export const optionalUrl: Kind<string | undefined> = {
  expected: 'an http or https URL such as https://registry.example.com',
  read: (value) => {
    if (typeof value !== 'string' || !URL.canParse(value)) return undefined
    const url = new URL(value)
    if (
      (url.protocol !== 'http:' && url.protocol !== 'https:') ||
      url.username !== '' ||
      url.password !== '' ||
      url.search !== '' ||
      url.hash !== ''
    ) {
      return undefined
    }
    return url.href.replace(/\/+$/, '')
  },
}

/** A directory's URL, with a host and perhaps a port and nothing else; or nothing. */
export const optionalLdapUrl: Kind<string | undefined> = {
  expected: 'an LDAP URL such as ldaps://ldap.example.com:636, without a user or a query in it',
  read: (value) => {
    if (typeof value !== 'string' || !URL.canParse(value)) return undefined
    const { protocol, hostname, username, password, pathname, search, hash } = new URL(value)
    const plain = `${username}${password}${search}${hash}` === '' && (pathname === '' || pathname === '/')
    return (protocol === 'ldap:' || protocol === 'ldaps:') && hostname !== '' && plain ? value.replace(/\/+$/, '') : undefined
  },
}

/** A text that `parse` takes, or nothing. An error of the class `Refusal` says that it does not take it. */
export function optionalParsed(
  expected: string,
  parse: (text: string) => unknown,
  Refusal: new (...args: never[]) => Error,
): Kind<string | undefined> {
  return {
    expected,
    read: (value) => {
      const text = optionalText.read(value)
      if (text === undefined) return undefined
      try {
        parse(text)
        return text
      } catch (error) {
        if (error instanceof Refusal) return undefined
        throw error
      }
    },
  }
}

/** Texts: a list in the file, separated by commas in the environment. */
export const list: Kind<readonly string[]> = {
  expected: 'a list of texts',
  read: (value) => {
    if (typeof value === 'string')
      return value
        .split(',')
        .map((one) => one.trim())
        .filter((one) => one !== '')
    if (!Array.isArray(value)) return undefined
    const texts = value.map((one) => text.read(one))
    return texts.every((one) => one !== undefined) ? texts : undefined
  },
}

/** What an OpenID provider is asked for (OpenID Connect Core, 3.1.2.1): without `openid` it gives no identity. */
export const scopes: Kind<readonly string[]> = {
  expected: 'a list of scopes with openid among them',
  read: (value) => {
    const named = list.read(value)
    return named?.includes('openid') && named.every((scope) => /^[\x21\x23-\x5b\x5d-\x7e]+$/.test(scope)) ? named : undefined
  },
}

/** Names and texts as a JSON object, or nothing. */
export const optionalParameters: Kind<string | undefined> = {
  expected: 'a JSON object of texts such as {"prompt":"login"}',
  read: (value) => {
    const written = typeof value === 'string' ? value : undefined
    if (written === undefined || written.trim() === '') return undefined
    try {
      const object: unknown = JSON.parse(written)
      const isObject = typeof object === 'object' && object !== null && !Array.isArray(object)
      return isObject && Object.values(object).every((each) => typeof each === 'string') ? written : undefined
    } catch (error) {
      if (error instanceof SyntaxError) return undefined
      throw error
    }
  },
}

/** Addresses and networks. */
export const networks: Kind<readonly string[]> = {
  expected: 'addresses and networks such as 10.0.0.0/8,fd00::/8',
  read: (value) => {
    const list = Array.isArray(value)
      ? value.map(String)
      : String(value)
          .split(',')
          .map((one) => one.trim())
    const named = list.filter((one) => one !== '')
    return named.every(isNetwork) ? named : undefined
  },
}

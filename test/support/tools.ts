import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'

/**
 * The path of a program that a test needs and npm does not bring. undefined: it is not on this machine, the test is to be left out, and a line said how to get it.
 * @throws when it is absent and ATOLL_TEST_REQUIRE_TOOLS is 1, so that nothing is left out unseen where everything should be there
 */
export function requireTool(name: string, howToGet: string): string | undefined {
  const found = (process.env.PATH ?? '')
    .split(delimiter)
    .map((directory) => join(directory, name))
    .find(isExecutable)
  if (found !== undefined) return found
  if (process.env.ATOLL_TEST_REQUIRE_TOOLS === '1') throw new Error(`${name} is not installed: ${howToGet}`)
  process.stderr.write(`left out, because ${name} is not installed: ${howToGet}\n`)
  return undefined
}

/** The same for a program at one place. */
export function requireFile(path: string, howToGet: string): string | undefined {
  if (isExecutable(path)) return path
  if (process.env.ATOLL_TEST_REQUIRE_TOOLS === '1') throw new Error(`${path} is not there: ${howToGet}`)
  process.stderr.write(`left out, because ${path} is not there: ${howToGet}\n`)
  return undefined
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

/** What the names of robots begin with, so that no person has one of them. */
export const ROBOT_PREFIX = 'robot$'

/** `robot$name` is the system's, `robot$project+name` a project's. */
export function robotName(robot: { readonly name: string; readonly projectName: string | null }): string {
  return robot.projectName === null ? `${ROBOT_PREFIX}${robot.name}` : `${ROBOT_PREFIX}${robot.projectName}+${robot.name}`
}

/** undefined: this is no robot's name. */
export function parseRobotName(login: string): { readonly name: string; readonly project: string | undefined } | undefined {
  if (!login.startsWith(ROBOT_PREFIX)) return undefined
  const rest = login.slice(ROBOT_PREFIX.length)
  const plus = rest.indexOf('+')
  return plus < 0 ? { name: rest, project: undefined } : { name: rest.slice(plus + 1), project: rest.slice(0, plus) }
}

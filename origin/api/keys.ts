/** The key that somebody means: as the API's answers call it (`project_id`), or as Harbor's own code does (`ProjectID`). */
export function keyNamed<K extends string>(name: string, keys: readonly K[]): K | undefined {
  return keys.find((key) => key === name) ?? (/^[A-Z]/.test(name) ? keys.find((key) => key === snake(name)) : undefined)
}

function snake(name: string): string {
  return name
    .replaceAll(/([a-z0-9])([A-Z])/g, '$1_$2')
    .replaceAll(/([A-Z]+)([A-Z][a-z])/g, '$1_$2')
    .toLowerCase()
}

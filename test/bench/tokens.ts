/** A bearer's headers for pulling and pushing as the administrator. `api`: how the origin is asked as him. */
export async function pushRight(repository: string, api: (method: string, path: string) => Promise<Response>): Promise<Record<string, string>> {
  const answer = await api('GET', `/service/token?service=atoll&scope=repository:${repository}:pull,push`)
  if (!answer.ok) throw new Error(`no token: ${answer.status}`)
  const { token } = (await answer.json()) as { token: string }
  return { authorization: `Bearer ${token}` }
}

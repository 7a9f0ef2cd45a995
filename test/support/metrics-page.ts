/** The samples of a page, by name and labels as they stand there. */
export async function scrape(url: string): Promise<ReadonlyMap<string, number>> {
  const response = await fetch(`${url}/metrics`)
  if (response.status !== 200) throw new Error(`/metrics answered ${response.status}`)
  const samples = (await response.text()).split('\n').filter((line) => line !== '' && !line.startsWith('#'))
  return new Map(
    samples.map((line) => {
      const end = line.lastIndexOf(' ')
      return [line.slice(0, end), Number(line.slice(end + 1))]
    }),
  )
}

/** The sum of the samples whose name, and labels so far as given, are these. */
export function sum(page: ReadonlyMap<string, number>, name: string, ...labels: readonly string[]): number {
  let total = 0
  for (const [sample, value] of page)
    if ((sample === name || sample.startsWith(`${name}{`)) && labels.every((label) => sample.includes(label))) total += value
  return total
}

import { readdir, readFile, readlink } from 'node:fs/promises'

// What Linux tells of a running process.

/** The processes of this name that this one started. */
export async function childrenNamed(name: string): Promise<number[]> {
  const found: number[] = []
  for (const entry of await readdir('/proc')) {
    const stat = await readFile(`/proc/${entry}/stat`, 'utf8').catch(() => '')
    const [, command, parent] = stat.match(/^\d+ \((.*)\) \S (\d+)/) ?? []
    if (command === name && Number(parent) === process.pid) found.push(Number(entry))
  }
  return found
}

/** What a process holds open: paths of files, `socket:[…]`, `anon_inode:[…]`. */
export async function openDescriptors(pid: number): Promise<string[]> {
  const folder = `/proc/${pid}/fd`
  const links = await Promise.all((await readdir(folder)).map((name) => readlink(`${folder}/${name}`).catch(() => undefined)))
  return links.filter((link) => link !== undefined)
}

/** How many TCP connections a process holds whose other ends are these local ports. */
export async function heldConnections(pid: number, ports: ReadonlySet<number>): Promise<number> {
  const own = new Set(await openDescriptors(pid))
  const table = await readFile(`/proc/${pid}/net/tcp`, 'utf8')
  return table
    .split('\n')
    .slice(1)
    .map((line) => line.trim().split(/\s+/))
    .filter(([, , remote = '', , , , , , , inode]) => own.has(`socket:[${inode}]`) && ports.has(Number.parseInt(remote.split(':')[1] ?? '', 16)))
    .length
}

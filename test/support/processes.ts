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

/** The ports of the other ends of the TCP connections that a process holds with this IPv4 address. */
export async function heldConnections(pid: number, address: string): Promise<number[]> {
  const own = new Set(await openDescriptors(pid))
  const table = await readFile(`/proc/${pid}/net/tcp`, 'utf8')
  // The kernel prints an address as a number of this machine's byte order.
  const theirs = Buffer.from(address.split('.').map(Number)).readUInt32LE().toString(16).toUpperCase().padStart(8, '0')
  return table
    .split('\n')
    .slice(1)
    .map((line) => line.trim().split(/\s+/))
    .filter(([, , remote = '', , , , , , , inode]) => remote.startsWith(`${theirs}:`) && own.has(`socket:[${inode}]`))
    .map(([, , remote = '']) => Number.parseInt(remote.slice(theirs.length + 1), 16))
}

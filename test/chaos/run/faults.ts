import type { Random } from './random.ts'
import { resume, type Site } from './site.ts'

const HOUR_MS = 3_600_000

/** Something that goes wrong for a while. */
export interface Fault {
  readonly name: string
  /** Begins it, and gives what ends it. */
  begin(site: Site, random: Random): Promise<() => Promise<void>>
}

/** One of them at a time: they are about the same processes. */
export function processFaults({ kind }: Site): readonly Fault[] {
  const both = [...killedAndHung('edge'), ...killedAndHung('origin'), wrongClock('origin')]
  return [...both, ...(kind === 'node' ? NODE_FAULTS : WORKER_FAULTS)]
}

function killedAndHung(who: 'edge' | 'origin'): readonly Fault[] {
  return [
    {
      name: `the ${who} is killed`,
      async begin(site) {
        await site[who].kill()
        return () => site[who].restart()
      },
    },
    {
      name: `the ${who} hangs`,
      async begin(site) {
        const { pid } = site[who]
        process.kill(pid, 'SIGSTOP')
        return async () => resume(pid)
      },
    },
  ]
}

function wrongClock(who: 'edge' | 'origin'): Fault {
  return {
    name: `the clock of the ${who} is wrong`,
    async begin(site, random) {
      await site.setClock(who, random.between(-HOUR_MS, HOUR_MS))
      return () => site.setClock(who, 0)
    },
  }
}

const NODE_FAULTS: readonly Fault[] = [
  wrongClock('edge'),
  {
    name: 'the disk of the edge is full',
    async begin(site) {
      await site.fillDisk()
      return () => site.freeDisk()
    },
  },
  {
    name: 'the disk of the edge is full, and the edge is killed',
    async begin(site) {
      await site.fillDisk()
      await site.edge.kill()
      return async () => {
        await site.freeDisk()
        await site.edge.restart()
      }
    },
  },
]

const WORKER_FAULTS: readonly Fault[] = [
  {
    name: 'the object that keeps the bucket to its budget is lost',
    async begin(site) {
      await site.worker?.loseObjects('Space')
      return () => site.edge.restart()
    },
  },
  {
    name: 'the objects that fetch are lost',
    async begin(site) {
      await site.worker?.loseObjects('Fill')
      return () => site.edge.restart()
    },
  },
]

/** What lies behind the edge, and the ways to it. */
export const SOURCE_FAULTS: readonly Fault[] = [
  upstream('the upstream hangs', () => ({ hang: true })),
  upstream('the upstream fails', (random) => ({ status: random.one([500, 502, 503]) })),
  upstream('the upstream limits us', () => ({ status: 429, retryAfter: 1 })),
  upstream('the upstream cuts bodies', (random) => ({ cutAfter: random.between(0, 4_000_000) })),
  upstream('the upstream stalls in bodies', (random) => ({ stallAfter: random.between(0, 4_000_000) })),
  lie('the upstream flips a byte', 'flip'),
  lie('the upstream sends something else', 'all'),
  upstream('the upstream lies about lengths', (random) => ({ lengthOff: random.one([-1, 1, -1000, 1000]) })),
  upstream('the upstream ignores ranges and cuts', (random) => ({ ignoreRange: true, cutAfter: random.between(500_000, 5_000_000) })),
  upstream('the upstream is slow', (random) => ({ bytesPerSecond: random.between(100_000, 4_000_000), delayMs: random.between(0, 800) })),
  {
    name: 'the tokens of the upstream end',
    async begin(site) {
      site.upstream.tokens.revoke()
      return async () => {}
    },
  },
  wire('the way to the origin is cut', (site) => site.wire.cut()),
  wire('the way to the origin hangs', (site) => site.wire.hang()),
  wire('the way to the origin is slow', (site, random) => {
    site.wire.bytesPerSecond = random.between(50_000, 2_000_000)
  }),
  {
    name: 'tags move',
    async begin(site, random) {
      const subjects = site.subjects.filter((subject) => !subject.private)
      await site.move(random.one(subjects), random)
      return async () => {}
    },
  },
]

function upstream(name: string, faults: (random: Random) => Partial<Site['upstream']['faults']>): Fault {
  return {
    name,
    async begin(site, random) {
      Object.assign(site.upstream.faults, faults(random))
      return async () => site.upstream.heal()
    },
  }
}

/** Only as much of it is unverified as comes from now on until the edge has nothing half done: that is, to the end of all faults. */
function lie(name: string, corrupt: 'flip' | 'all'): Fault {
  const fault = upstream(name, (random) => ({ corrupt, lies: random.between(1, 6) }))
  return {
    name,
    begin(site, random) {
      site.lying = true
      return fault.begin(site, random)
    },
  }
}

function wire(name: string, act: (site: Site, random: Random) => void): Fault {
  return {
    name,
    async begin(site, random) {
      act(site, random)
      return async () => site.wire.heal()
    },
  }
}

/** A question to the source whose answer may be kept, unless something told to forget it in the meantime. */
export interface Ticket {
  /** Keeps the answer by `write`. false: it was told to be forgotten, so nothing was written. */
  keep(write: () => Promise<void>): Promise<boolean>
}

interface OpenTicket extends Ticket {
  readonly key: string
  spoiled: boolean
  writing: Promise<unknown> | undefined
}

/** Keeps an answer that was asked for before an invalidation from being kept after it. */
export class Guard {
  readonly #open = new Set<OpenTicket>()

  async run<T>(key: string, work: (ticket: Ticket) => Promise<T>): Promise<T> {
    const ticket: OpenTicket = {
      key,
      spoiled: false,
      writing: undefined,
      async keep(write) {
        if (this.spoiled) return false
        const written = write()
        // Whoever keeps it hears of its failure. Whoever waits for it only wants to know that it is over.
        this.writing = Promise.allSettled([this.writing, written])
        await written
        return true
      },
    }
    this.#open.add(ticket)
    try {
      return await work(ticket)
    } finally {
      const end = () => this.#open.delete(ticket)
      // What is still being written must be waited for by whoever wants it forgotten.
      if (ticket.writing) ticket.writing.then(end, end)
      else end()
    }
  }

  /** After it, nothing that was asked for before will be written. */
  async spoil(matches: (key: string) => boolean): Promise<void> {
    const spoiled = [...this.#open].filter(({ key }) => matches(key))
    for (const ticket of spoiled) ticket.spoiled = true
    await Promise.allSettled(spoiled.map(({ writing }) => writing))
  }
}

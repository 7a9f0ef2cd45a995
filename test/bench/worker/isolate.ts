const CALL_MS = 10_000

/** What an isolate holds, in bytes. */
export interface IsolateUse {
  /** Objects of JavaScript, those included that nobody refers to and that are not collected yet. */
  readonly heap: number
  /** The memory behind its ArrayBuffers, WebAssembly included. */
  readonly buffers: number
}

/** The one isolate of a workerd, seen through its inspector. */
export class Isolate implements Disposable {
  readonly #socket: WebSocket
  readonly #waiting = new Map<number, (answer: unknown) => void>()
  #last = 0

  private constructor(socket: WebSocket) {
    this.#socket = socket
    socket.onmessage = ({ data }) => {
      const { id, result } = JSON.parse(String(data)) as { id?: number; result?: unknown }
      if (id === undefined) return
      this.#waiting.get(id)?.(result)
      this.#waiting.delete(id)
    }
  }

  /** @param inspector `127.0.0.1:port` */
  static async of(inspector: string): Promise<Isolate> {
    const targets = (await (await fetch(`http://${inspector}/json/list`)).json()) as { id: string; webSocketDebuggerUrl: string }[]
    const [target] = targets
    if (target === undefined || targets.length > 1) throw new Error(`there are ${targets.length} isolates where there should be one`)
    const { pathname } = new URL(target.webSocketDebuggerUrl)
    const socket = new WebSocket(`ws://${inspector}${pathname}`)
    await new Promise((resolve, reject) => {
      socket.onopen = resolve
      socket.onerror = () => reject(new Error('the inspector does not answer'))
    })
    return new Isolate(socket)
  }

  async use(): Promise<IsolateUse> {
    const { usedSize, backingStorageSize } = (await this.#call('Runtime.getHeapUsage')) as { usedSize: number; backingStorageSize?: number }
    if (backingStorageSize === undefined) throw new Error('this workerd does not tell what lies behind its ArrayBuffers')
    return { heap: usedSize, buffers: backingStorageSize }
  }

  [Symbol.dispose](): void {
    this.#socket.close()
  }

  async #call(method: string): Promise<unknown> {
    const id = ++this.#last
    return await new Promise((resolve, reject) => {
      const late = setTimeout(() => reject(new Error(`the inspector does not answer ${method}`)), CALL_MS)
      this.#waiting.set(id, (answer) => {
        clearTimeout(late)
        resolve(answer)
      })
      this.#socket.send(JSON.stringify({ id, method }))
    })
  }
}

/** The most that an isolate held of each, and of both together, at any of the looks taken while `run` was under way. */
export async function peakOf(isolate: Isolate, run: () => Promise<void>, everyMs: number): Promise<IsolateUse & { readonly both: number }> {
  let over = false
  const running = run().finally(() => {
    over = true
  })
  let [heap, buffers, both] = [0, 0, 0]
  do {
    const use = await isolate.use()
    heap = Math.max(heap, use.heap)
    buffers = Math.max(buffers, use.buffers)
    both = Math.max(both, use.heap + use.buffers)
    await Promise.race([running, new Promise((resolve) => setTimeout(resolve, everyMs))])
  } while (!over)
  await running
  return { heap, buffers, both }
}

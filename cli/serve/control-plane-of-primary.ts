import type { RunningControlPlane } from '../../control-plane/start.ts'
import type { OpenOrigin } from '../../origin/open.ts'
import { controlPlaneOf } from './control-plane.ts'

/** The control plane of a site, for as long as the site is no standby: jobs are done where changes are made. */
export class ControlPlaneOfPrimary {
  readonly #origin: OpenOrigin
  readonly #stopListening: () => void
  #running: RunningControlPlane | undefined
  /** One after the other: what ends has ended before the next begins. */
  #turn: Promise<void> = Promise.resolve()
  #closed = false

  private constructor(origin: OpenOrigin) {
    this.#origin = origin
    this.#stopListening = origin.sites.room.standing.on(() => void this.#adapt())
  }

  static async start(origin: OpenOrigin): Promise<ControlPlaneOfPrimary> {
    const plane = new ControlPlaneOfPrimary(origin)
    try {
      await plane.#change()
    } catch (error) {
      plane.#stopListening()
      throw error
    }
    return plane
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#stopListening()
    await this.#adapt()
  }

  #adapt(): Promise<void> {
    const { log } = this.#origin.services
    this.#turn = this.#turn
      .then(() => this.#change())
      .catch((error: unknown) => log.error({ err: error }, 'The control plane could not be started or stopped.'))
    return this.#turn
  }

  async #change(): Promise<void> {
    const { role } = this.#origin.sites.room.standing
    const wanted = !this.#closed && (role === 'alone' || role === 'primary')
    if (wanted && this.#running === undefined) this.#running = await controlPlaneOf(this.#origin)
    else if (!wanted) {
      const running = this.#running
      this.#running = undefined
      await running?.close()
    }
  }
}

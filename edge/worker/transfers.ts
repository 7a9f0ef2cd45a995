import { type Clock, steady } from '../../registry/clock.ts'
import { type AdmissionLimits, admitted } from '../../runtime/admission/admission.ts'
import type { ConnectionInfo } from '../../runtime/http-server.ts'
import { TRANSFER_IDLE_MS } from '../limits.ts'
import { watched } from '../space/reads.ts'

interface Place extends ConnectionInfo {
  readonly handle: () => Promise<Response>
  release: (() => void) | undefined
  /** When somebody last wanted more of its blob. */
  wantedAt: number
}

/** What one isolate moves at once, shared out as at a Node edge. Other isolates have places of their own. */
export class Transfers {
  readonly #clock: Clock
  readonly #fair: (request: Request, place: Place) => Response | Promise<Response>
  readonly #places = new Set<Place>()

  constructor(limits: AdmissionLimits, clock: Clock) {
    this.#clock = clock
    this.#fair = admitted(limits, clock, (_request: Request, place: Place) => place.handle())
  }

  /** What `handle` answers, in its turn, if it moves a blob. */
  async answer(request: Request, client: string | undefined, handle: () => Promise<Response>): Promise<Response> {
    this.#sweep()
    const place: Place = {
      remoteAddress: client ?? '',
      handle,
      release: undefined,
      wantedAt: steady(this.#clock),
      onEnd: (release) => {
        place.release = release
        place.wantedAt = steady(this.#clock)
        this.#places.add(place)
      },
    }
    try {
      const response = await this.#fair(request, place)
      if (place.release === undefined) return response
      if (response.body === null) {
        this.#end(place)
        return response
      }
      // Nothing of ours is run for a client that has left, but this.
      request.signal.addEventListener('abort', () => this.#end(place), { once: true })
      const body = watched(
        response.body,
        () => this.#end(place),
        () => {
          place.wantedAt = steady(this.#clock)
        },
      )
      return new Response(body, response)
    } catch (error) {
      this.#end(place)
      throw error
    }
  }

  #end(place: Place): void {
    this.#places.delete(place)
    place.release?.()
  }

  /** A request that was ended without a word gives nothing back by itself. */
  #sweep(): void {
    const now = steady(this.#clock)
    for (const place of this.#places) if (now - place.wantedAt > TRANSFER_IDLE_MS) this.#end(place)
  }
}

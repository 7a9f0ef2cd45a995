import type { Knowledge } from '../../mesh/gate.ts'
import { type Decision, decide, decideSystem } from '../../policy/decide.ts'
import type { Principal, ProjectFacts, Target } from '../../policy/facts.ts'
import type { Clock } from '../../registry/clock.ts'
import { RegistryError } from '../../registry/spec/errors.ts'
import type { Facts } from './facts.ts'

/** Decisions on current facts. */
export class Authorities implements Knowledge {
  readonly #facts: Facts
  readonly #clock: Pick<Clock, 'now'>

  constructor(facts: Facts, clock: Pick<Clock, 'now'>) {
    this.#facts = facts
    this.#clock = clock
  }

  /** Current facts; undefined: there is no such project. */
  project(name: string): Promise<ProjectFacts | undefined> {
    return this.#facts.project(name)
  }

  now(): number {
    return this.#clock.now()
  }

  /** `project`: its name, or its id; undefined for what belongs to the system. */
  async decide(principal: Principal, target: Target, project: string | number | undefined): Promise<Decision> {
    const now = this.#clock.now()
    if (project === undefined) return decideSystem(principal, target, now)
    return decide(principal, target, await this.#facts.project(project), now)
  }

  /** @throws RegistryError UNAUTHORIZED, DENIED */
  async authorize(principal: Principal, target: Target, project: string | number | undefined): Promise<void> {
    const decision = await this.decide(principal, target, project)
    if (!decision.allow) throw new RegistryError(decision.reason === 'unauthenticated' ? 'UNAUTHORIZED' : 'DENIED', decision.message)
  }
}

import type { JWK } from 'jose'
import type { Holder } from '../../mesh/caller.ts'
import type { Principal, ProjectFacts, SubjectId } from '../../policy/facts.ts'

/** Somebody who can log in: who it is, and what a secret is checked against. */
export interface Account extends Holder {
  /** undefined: this one has no password here. */
  readonly secretHash: string | undefined
}

/** An edge that enrolled. */
export interface EdgeAccount {
  readonly principal: Principal
  readonly id: string
  readonly name: string
  readonly region: string
  readonly publicKey: JWK
  /** Its key still proves who it is, and it may do nothing. */
  readonly revoked: boolean
}

/** Where facts are read from; databaseFacts() is the real one. Each answers with what is committed now; undefined: there is none. */
export interface FactSource {
  project(key: string | number): Promise<ProjectFacts | undefined>
  account(id: SubjectId): Promise<Account | undefined>
  /** By the name people log in with: `admin`, `robot$team+ci`. */
  accountNamed(name: string): Promise<Account | undefined>
  edge(id: string): Promise<EdgeAccount | undefined>
}

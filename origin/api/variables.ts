import type { Principal, ProjectFacts } from '../../policy/facts.ts'

/** What a request to this API carries with it from one handler to the next. */
export interface ApiEnv {
  Variables: {
    requestId: string
    /** Who asks. */
    principal: Principal
  }
}

/** Of routes below one project. */
export interface ProjectEnv extends ApiEnv {
  Variables: ApiEnv['Variables'] & { project: ProjectFacts }
}

import { enrolEdge } from '../../edge/enrol.ts'
import type { Enrolment } from '../../mesh/enrolment.ts'
import { readConfig } from './config.ts'
import { startFailure } from './failures.ts'

export interface EnrolHere {
  readonly origin: string
  readonly token: string
  readonly url?: string
  readonly config?: string
  readonly env: NodeJS.ProcessEnv
  readonly cwd: string
}

/** @throws CliError for what the person at the terminal can mend */
export async function enrolHere({ origin, token, url, config, env, cwd }: EnrolHere): Promise<Enrolment> {
  try {
    const { config: settings } = await readConfig({ config, env, cwd })
    return await enrolEdge({
      ...settings,
      'edge.origin_url': origin,
      'edge.enrolment_token': token,
      ...(url !== undefined && { 'edge.url': url }),
    })
  } catch (error) {
    throw startFailure(error)
  }
}

import { routes } from './environment.ts'
import { ApiError } from './errors.ts'

/**
 * The operations of the contract that Atoll does not have yet, by their tag: the only list of them. Each belongs in a file named for its tag;
 * whoever writes one takes its line away here.
 */
export const NOT_YET: Readonly<Record<string, readonly string[]>> = {
  scan: [
    'POST /projects/{project_name}/repositories/{repository_name}/artifacts/{reference}/scan',
    'POST /projects/{project_name}/repositories/{repository_name}/artifacts/{reference}/scan/stop',
    'GET /projects/{project_name}/repositories/{repository_name}/artifacts/{reference}/scan/{report_id}/log',
  ],
  scanAll: [
    'GET /scans/all/metrics',
    'GET /scans/schedule/metrics',
    'GET /system/scanAll/schedule',
    'PUT /system/scanAll/schedule',
    'POST /system/scanAll/schedule',
    'POST /system/scanAll/stop',
  ],
  SystemCVEAllowlist: ['GET /system/CVEAllowlist', 'PUT /system/CVEAllowlist'],
  scanner: [
    'GET /scanners',
    'POST /scanners',
    'POST /scanners/ping',
    'GET /scanners/{registration_id}',
    'PUT /scanners/{registration_id}',
    'DELETE /scanners/{registration_id}',
    'PATCH /scanners/{registration_id}',
    'GET /scanners/{registration_id}/metadata',
  ],
  'scan data export': [
    'POST /export/cve',
    'GET /export/cve/execution/{execution_id}',
    'GET /export/cve/executions',
    'GET /export/cve/download/{execution_id}',
  ],
  securityhub: ['GET /security/summary', 'GET /security/vul'],
}

/** Answers 501 for all of them, in words that tell an operation to come from a path that does not exist. */
export function notYet() {
  const app = routes()
  for (const [tag, operations] of Object.entries(NOT_YET)) {
    for (const operation of operations) {
      const [method = '', path = ''] = operation.split(' ')
      app.on(method, path.replaceAll(/\{(\w+)\}/g, ':$1'), () => {
        throw new ApiError('UNSUPPORTED', `Atoll does not have this operation yet: ${operation} (${tag}).`)
      })
    }
  }
  return app
}

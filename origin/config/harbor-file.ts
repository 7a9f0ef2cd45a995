/**
 * Keys and sections of a harbor.yml that are about parts which this registry does not have, or ask for nothing here. A file may have them; whoever
 * starts it is told which. What would keep data elsewhere (`external_database`, other kinds of storage) is not among them: that is refused.
 */
export const PASSED_OVER: ReadonlySet<string> = new Set([
  '_version',
  'chartmuseum',
  'clair',
  'core',
  'database.conn_max_idle_time',
  'database.conn_max_lifetime',
  'database.max_idle_conns',
  'database.max_open_conns',
  'database.password',
  'external_redis',
  'https.strong_ssl_ciphers',
  'internal_tls',
  'ip_family',
  'jobservice',
  'notary',
  'notification',
  'redis',
  'storage_service.filesystem',
  'storage_service.s3.chunksize',
  'storage_service.s3.loglevel',
  'storage_service.s3.multipartcopychunksize',
  'storage_service.s3.multipartcopymaxconcurrency',
  'storage_service.s3.multipartcopythresholdsize',
  'storage_service.s3.secure',
  'storage_service.s3.v4auth',
  'trace',
  'trivy',
  'upload_purging',
])

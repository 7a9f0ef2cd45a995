// Every bound of this API, by name.

/** What a request's body may hold, in bytes; 413 above. Only JSON of a few fields comes here, and CA certificates. */
export const BODY_LIMIT = 1024 * 1024
/** Entries of a page (Harbor's maximum). */
export const PAGE_SIZE_LIMIT = 100
/** Entries of a page when nobody says (Harbor's default). */
export const PAGE_SIZE = 10
/** Entries of the one page of who asks for all: more than a site has projects, and no more than fit into an answer. */
export const EVERYTHING = 50_000
/** The last page that can be asked for, so that an offset stays a safe integer. */
export const PAGE_LIMIT = 1_000_000_000
/** Of a q= and a sort= parameter, in characters. */
export const QUERY_LIMIT = 4096
/** Of a key that a warning names, in characters. */
export const KEY_SHOWN = 64
/** Values in one union or intersection of a q= parameter. */
export const QUERY_VALUES_LIMIT = 100
/** Of an X-Request-Id that is echoed, in characters. */
export const REQUEST_ID_LIMIT = 128
/** Permissions of one robot, once its projects, resources and actions are told apart. */
export const ROBOT_PERMISSIONS_LIMIT = 1000
/** Filters of a replication rule. */
export const FILTERS_LIMIT = 32
/** Workers that somebody may ask for to collect garbage (Harbor's maximum). */
export const WORKERS_LIMIT = 10
/** Until a registry has answered a ping, in milliseconds. */
export const PING_TIME_MS = 15_000

/** Selectors of one rule, for repositories and for tags each. */
export const SELECTORS_LIMIT = 20

/** Rules of one retention policy (Harbor's maximum). */
export const RETENTION_RULES_LIMIT = 15

/** Vulnerabilities that one project accepts. */
export const ALLOWLIST_LIMIT = 1_000

/** Of an image's or a chart's config that the API reads, in bytes; a larger one is not shown. */
export const CONFIG_LIMIT = 1024 * 1024
/** What is kept of configs, in bytes of JSON: a usual one takes 1 KiB without its history. */
export const CONFIGS_BYTES = 8 * 1024 * 1024
/** A config of which more would be kept is read each time. */
export const CONFIG_KEPT_LIMIT = 64 * 1024
/** Configs read at once for one answer. */
export const CONFIGS_AT_ONCE = 8
/** Of a page for which configs are read, in artifacts: a list of everything has none. */
export const CONFIGS_PAGE = 100

/** Of a chart that the API looks into, packed, in bytes. */
export const CHART_LIMIT = 20 * 1024 * 1024
/** Of one file inside a chart. */
export const CHART_FILE_LIMIT = 1024 * 1024
/** Of a chart unpacked, in bytes: nobody reads on in what goes on for ever. */
export const CHART_UNPACKED_LIMIT = 200 * 1024 * 1024

/** A process that does jobs and has been silent for so long is not there. */
export const POOL_SILENT_MS = 30_000

/** An edge that was not heard of for so long is not healthy. */
export const EDGE_SEEN_MS = 120_000
/** Edges looked at for one that has an address. */
export const EDGES_LIMIT = 10_000

// Every wait and every bound of an edge, by name. Milliseconds, unless the name says otherwise.

import type { RemoteLimits } from '../registry/remote/index.ts'

/** A small question to the origin (a document, a token, the keys), from its start to the last byte of its answer. */
export const ORIGIN_ANSWER_MS = 5_000
/** The same while the feed is down: whoever waits is a client, and the answer is probably none. */
export const ORIGIN_ANSWER_WHILE_AWAY_MS = 1_000
/** While somebody waits for the origin, how often it is looked whether its feed is still heard. */
export const ORIGIN_LOOK_MS = 500
/** Once it is not, from then or from the question to the head of the origin's answer about a manifest, a list or a blob. */
export const SOURCE_AWAY_MS = 1_000
/** From asking for the feed to the head of its answer. */
export const FEED_OPEN_MS = 5_000
/** A feed without a batch for so long is given up, and asked for again. */
export const FEED_STALL_MS = 4_000
/** The first wait before asking for the feed again; it doubles up to the last. */
export const FEED_RETRY_FIRST_MS = 200
export const FEED_RETRY_LAST_MS = 5_000
/** How often what only ages (contact with the origin, time spent without it) is written down. */
export const KEEP_EVERY_MS = 10_000
/** How often counters go to the origin, and how often an edge looks whether it has to say before that nobody should be sent to it. */
export const REPORT_EVERY_MS = 5_000
export const WELL_ASKED_EVERY_MS = 1_000
/** How long a project or principal that the origin does not know is not asked for again, unless the feed names it. */
export const UNKNOWN_FOR_MS = 30_000
/** Names that this edge knows nothing of, asked for at once; and so many a second that turn out to be nobody's. */
export const GUESSES_AT_ONCE = 200
export const GUESSES_PER_SECOND = 20
/** The keys of the origin are not read more often than this because of a token or document with an unknown key. */
export const KEYS_EVERY_MS = 10_000
/** How far the wall clock may go back between two looks before an edge stops believing it. */
export const CLOCK_SLACK_MS = 60_000
/** How long a token is good for that an edge signs for anonymous clients. */
export const ANONYMOUS_TOKEN_MS = 300_000
/** How long a name and a secret that come with each request are not checked at the origin anew. */
export const BASIC_LOGIN_MS = 30_000
/** A refusal to log in while the origin is away says when to try again, in seconds. */
export const RETRY_AFTER_S = 5
/** A login that was written down for when the origin is away is not written again for so long, or for a tenth of the grace if that is less. */
export const GRANT_REFRESH_MS = 600_000
/** How often grants that are over are looked for. */
export const GRANT_SWEEP_MS = 3_600_000
/** How long a token is good for that an edge signs while its origin is away. */
export const GRANT_TOKEN_MS = 300_000
/** Logins of which is known that they were written down. */
export const GRANTS_IN_MEMORY = 5_000
/** How often what was served is written down, and told to the origin. */
export const SPOOL_EVERY_MS = 1_000
/** Different pulls in one batch for the origin; some 300 bytes each. */
export const SPOOL_BATCH_PULLS = 1_000
/** Batches that wait for the origin: up to 80 MB, and 256,000 different pulls. */
export const SPOOL_BATCHES = 256

export const DOCUMENTS_IN_MEMORY = 20_000
/** Names that are nobody's. They have a memory of their own, so that making some up drives out no document. */
export const UNKNOWNS_IN_MEMORY = 5_000
export const TOKENS_IN_MEMORY = 5_000
export const BASIC_LOGINS_IN_MEMORY = 1_000
export const DOCUMENT_BYTES = 8 * 1024 * 1024
export const FEED_LINE_BYTES = 8 * 1024 * 1024
/** Documents that the feed named are read again by so many requests at once. */
export const REFRESHES_AT_ONCE = 4
/** Scopes of one token request; a client asks for one or two. */
export const SCOPES_OF_A_TOKEN = 20
/** Proxy-cache projects whose upstreams are kept ready. */
export const UPSTREAMS_IN_MEMORY = 1_000
/**
 * Sources are asked again at once or not at all: who waits is a client, or there is something stale to give. A 429 with `Retry-After` is
 * heard, not waited out.
 */
export const SOURCE_LIMITS: Partial<RemoteLimits> = { attempts: 2, retryWindowMs: 900 }
/** How long the origin may take to get a token of an upstream, in milliseconds: longer than it waits for the upstream. */
export const UPSTREAM_TOKEN_ANSWER_MS = 12_000
/** A token of an upstream is not used in its last moments. */
export const UPSTREAM_TOKEN_MARGIN_MS = 10_000
/** In a Worker, what the feed said is asked of the Link no more often than this. */
export const POLL_EVERY_MS = 1_000
/** An answer of the Link. */
export const LINK_ANSWER_MS = 10_000
/** Entries of the feed that the Link has ready for who asks. Who is farther behind forgets everything. */
export const ENTRIES_KEPT = 5_000
/** The Link and each fill see to themselves so often, even if nobody asks. */
export const ALARM_EVERY_MS = 20_000
/** A fill that was cut off is taken up again so many times before it waits for a client. */
export const FILL_ALARMS = 20
/** In a Worker, what requests have seen is told to the Link so long after the first of them, together. */
export const TELL_EVERY_MS = 200
/** Tellings that the Link knows to have taken: who heard no answer tells again within seconds. */
export const TELLINGS_REMEMBERED = 10_000
/** What different upstreams have said of their limits since it was last told. */
export const BUDGETS_UNTOLD = 100
/** Blobs that one isolate moves at once, each of them about a MiB of its 128 MB; and how many more wait for their turn, each with no more than its request. */
export const ISOLATE_TRANSFERS = { max: 64, perClient: 32, perProject: 48, waiting: 1_024 } as const
/** Whoever takes nothing of its blob for so long holds no place: it may have been ended without a word. */
export const TRANSFER_IDLE_MS = 150_000
/** The object that fetches sends nothing for so long in the middle of a blob: it is gone. Longer than it tries to get something from its own source. */
export const OBJECT_STALL_MS = 150_000
/** From asking a neighbour for a blob to the first byte, which it may have to get from the source itself; then between two pieces. */
export const NEIGHBOUR_ANSWER_MS = 3_000
export const NEIGHBOUR_STALL_MS = 5_000
/** One that is silent for so many looks is asked whether it lives, and has so many more to say so. */
export const NEIGHBOUR_LOOK_MS = 50
export const NEIGHBOUR_SILENT_LOOKS = 5
export const NEIGHBOUR_LIFE_LOOKS = 10
/** A neighbour that failed, stalled or lied is asked for nothing for so long, twice as long each further time, at most … */
export const NEIGHBOUR_LEFT_OUT_MS = 30_000
export const NEIGHBOUR_LEFT_OUT_MOST_MS = 1_800_000
/** … and for a digest that it did not give, or not rightly, for so long. */
export const NEIGHBOUR_DIGEST_MS = 60_000
/** Digests and neighbours of which that is remembered. */
export const NEIGHBOUR_DIGESTS = 10_000
export const NEIGHBOURS_IN_MEMORY = 200
/** Proofs of neighbours that were used; each is good for three minutes. */
export const NEIGHBOUR_PROOFS = 50_000

/** To the source of one large blob, at a Node edge. A Worker may have six in all, and its bucket takes some. */
export const FILL_CONNECTIONS = 4
/** How long an edge that ends waits for its fills, and for what it counted of its cache, to be written down, in milliseconds each. */
export const ENDING_MS = 5_000
/** How an edge is that clients may be sent to: for its answer, how much of it, and for how long it is believed. */
export const HEALTH_ANSWER_MS = 1_000
export const HEALTH_BYTES = 16 * 1024
export const HEALTH_FOR_MS = 2_000
/** How long the ticket is good that a client shows where it was sent. */
export const TICKET_MS = 300_000
/** Records of lost runs of the feed that are looked for, and deleted, at once. */
export const LOST_RUNS_PAGE = 500

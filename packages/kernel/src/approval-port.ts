/*
 * Critical operations wait until a person has approved them. The kernel asks and enforces the answer; who is asked, and
 * where questions are kept, is the host's business.
 */

/** What somebody is asked to approve. */
export interface ApprovalRequest {
  /** Names this question in events, queues and the audit log: 16 hexadecimal digits. */
  readonly id: string
  /** Who wants it: the id of the calling plugin, or `host`. */
  readonly plugin: string
  /** Of the calling plugin. */
  readonly version: string | undefined
  readonly point: string
  /** Of the provider that would do it. */
  readonly name: string
  readonly method: string
  /**
   * To be read after "It wants to". Made by the host from the input as it was checked, one line without control
   * characters, at most 2,000 characters.
   */
  readonly sentence: string
  /** What the method would be given; without values of secrets, and bytes by their number alone. */
  readonly input: unknown
  readonly traceId: string
  /** When nobody waits for the answer any more, ms since the epoch. */
  readonly expiresAtMs: number
}

/** What a person decided. */
export interface ApprovalAnswer {
  readonly approved: boolean
  /** Who; not told to the plugin. */
  readonly by?: string
  /** Told to the plugin when it is denied. */
  readonly reason?: string
}

/** Where people are asked: a terminal, a durable queue. */
export interface ApprovalDesk {
  /**
   * Asks. `signal` is aborted when nobody waits any more: with `APPROVAL_EXPIRED` when the time is over, else because the
   * caller has given up or is gone; also once the answer was taken. A desk that does not take the question throws at once; then it was not asked.
   */
  readonly ask: (request: ApprovalRequest, signal: AbortSignal) => Promise<ApprovalAnswer>
}

/** A call, as far as it decides whether a person is asked. */
export interface ApprovalSubject {
  /** Id of the calling plugin, or `host`. */
  readonly caller: string
  readonly point: string
  readonly name: string
  readonly method: string
}

/** Who is asked, and what for. */
export interface ApprovalOptions {
  readonly desk: ApprovalDesk
  /**
   * Whether a person is asked before this call, beside what points themselves call critical; also of the host's own calls.
   * Asked at every call, so it has to be quick. What it throws refuses the call.
   */
  readonly demanded?: (call: ApprovalSubject) => boolean
}

/** What became of a question; `abandoned` when the host ended while it was open. */
export type ApprovalState = 'pending' | 'approved' | 'denied' | 'expired' | 'cancelled' | 'abandoned'

/** A question as it is kept. */
export interface ApprovalEntry extends Omit<ApprovalRequest, 'version'> {
  readonly version: string | null
  readonly state: ApprovalState
  /** Milliseconds since the epoch. */
  readonly askedAtMs: number
  /** When it was decided or given up. */
  readonly decidedAtMs: number | null
  readonly by: string | null
  readonly reason: string | null
}

/** Which questions are wanted. */
export interface ApprovalQuery {
  readonly state?: ApprovalState | undefined
  /** Who wants it. */
  readonly plugin?: string | undefined
  /** Newest first, so many at most. */
  readonly limit: number
}

/** Questions that are kept, open and decided. */
export interface ApprovalBook {
  /** Newest first. */
  readonly list: (query: ApprovalQuery) => readonly ApprovalEntry[]
  readonly get: (id: string) => ApprovalEntry | undefined
  /**
   * Decides an open question; undefined when there is none of this id. `decided` is false when somebody else, or time,
   * was first; the entry says who. Durable before anybody acts on it.
   */
  readonly decide: (
    id: string,
    answer: ApprovalAnswer & { readonly by: string },
  ) => { readonly decided: boolean; readonly entry: ApprovalEntry } | undefined
}

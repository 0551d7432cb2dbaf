import type { PlatformError, Progress } from '@backplane/sdk'

/*
 * The public face of this package; the implementation lives beside it. The wire is described in docs/protocol.md.
 */

/**
 * A way to exchange messages with one peer: a MessagePort or a stream of frames. Owned by the session that is made on
 * it: the session closes it. Small messages of one tick leave as one transport write, in order.
 */
export interface Channel {
  /**
   * Queues one message: the JSON text of one array. `parts` travel beside it, uncopied where the transport can (they
   * are then detached here); do not touch them afterwards. Nothing is sent after `close`.
   */
  readonly send: (text: string, parts: readonly Uint8Array[]) => void
  /** Called once by the session; nothing is read before. `limits` bound what one batch may hold. */
  readonly receive: (listener: ChannelListener, limits: SessionLimits) => void
  /** True while the transport has more queued than it should; `drained` settles when that is over or it is closed. */
  readonly congested: boolean
  readonly drained: () => Promise<void>
  /** Sends what is queued, then closes; bounded in time, idempotent, never rejects. */
  readonly close: () => Promise<void>
}

/** What a channel tells its session. */
export interface ChannelListener {
  /** One batch: the JSON text of an array of messages, not looked at yet, and the parts of all of them in order. */
  readonly message: (text: string, parts: readonly Uint8Array[]) => void
  /** The peer or the transport is gone; `error` is set when bytes broke the rules. Called once. */
  readonly closed: (error: PlatformError | undefined) => void
}

/**
 * What one incoming request brings with it. Hand it on as it is: `signal` and `progress` are made when first asked for,
 * so that calls which never look cost nothing.
 */
export interface IncomingCall {
  readonly signal: AbortSignal
  readonly deadlineAtMs: number | undefined
  readonly traceId: string
  readonly caller: string
  readonly progress: (progress: Progress) => void
}

/** What this side answers. `target` names what is called; its form is the business of the two ends. */
export interface Handler {
  /** Answers one value. */
  readonly call: (target: string, value: unknown, call: IncomingCall) => unknown
  /** Answers many. */
  readonly stream: (target: string, value: unknown, call: IncomingCall) => AsyncIterable<unknown>
  /** Takes a message that has no answer. What it throws is ignored: there is nobody to tell. */
  readonly notice?: (target: string, value: unknown) => void
  /** A notice was dropped, most often unread: the peer sends more than {@link SessionLimits.noticeBytesPerSecond}. */
  readonly dropped?: () => void
}

/**
 * What a session asks of its caller's signal: an `AbortSignal`, or something cheaper that keeps one listener. Making a
 * signal and listening to it costs as much as the rest of a small call.
 */
export interface Cancellation {
  readonly aborted: boolean
  readonly reason: unknown
  readonly addEventListener: (type: 'abort', listener: CancellationListener) => void
  readonly removeEventListener: (type: 'abort', listener: CancellationListener) => void
}

/** Told when a {@link Cancellation} is aborted. */
export interface CancellationListener {
  readonly handleEvent: () => void
}

/** What goes with one outgoing request. */
export interface OutgoingCall {
  readonly signal?: Cancellation | undefined
  /** Absolute, ms since the epoch. */
  readonly deadlineAtMs?: number | undefined
  readonly traceId?: string | undefined
  readonly caller?: string | undefined
  readonly onProgress?: ((progress: Progress) => void) | undefined
}

/**
 * Limits of one session: what this side accepts. They are told to the peer, and each side keeps what it sends within
 * the other's. Every number has a default and a test that exceeds it.
 */
export interface SessionLimits {
  /** One message with its parts, bytes. Default 8 MiB, at least 256 KiB. */
  readonly messageBytes: number
  /** Nesting of arrays and objects in one value; in large texts it is counted before they are parsed. Default 64, at least 8. */
  readonly depth: number
  /** Requests of the peer in flight here; one more ends the session, so the peer holds further ones. Default 1,024. */
  readonly inFlight: number
  /**
   * What the peer's requests in flight may hold here in values and parts, bytes; more end the session, so the peer holds
   * further ones. One message alone always may. Default 64 MiB, at least 256 KiB.
   */
  readonly inFlightBytes: number
  /**
   * Notices of the peer, bytes a second, and how many at once, of which one alone may be an eighth; more are dropped, large
   * ones before they are parsed. The peer is told and drops them itself. Default 1 MiB a second, 4 MiB at once; at least 1.
   */
  readonly noticeBytesPerSecond: number
  readonly noticeBurstBytes: number
  /**
   * Everything of the peer's that neither asks nor answers, bytes a second and as many at once; more end the session. Default
   * 16 MiB, at least 256 KiB.
   */
  readonly floodBytesPerSecond: number
  /** Stream items sent ahead of the consumer. Default 16. */
  readonly credit: number
  /** Longest a started frame may stay incomplete, ms; sockets only. Default 10,000. */
  readonly partialFrameMs: number
  /** Longest without an ack of a request before it is reported as hung, ms. Default 5,000. */
  readonly ackMs: number
}

/** Options of `createSession`. */
export interface SessionOptions {
  readonly handler: Handler
  readonly limits?: Partial<SessionLimits>
  /**
   * The peer's values are taken as it sends them: their depth, keys and weight are not looked at again. Only for a peer that may do
   * anything here anyway and looked at them itself, as a host does before a plugin gets them. Default false.
   */
  readonly trustsPeer?: boolean
}

/** Why a session ended. */
export type SessionEnd =
  | { readonly kind: 'closed' }
  | { readonly kind: 'lost' }
  | { readonly kind: 'violated'; readonly error: PlatformError }

/**
 * Calls, streams, progress and cancel over one channel, in both directions. Disposing ends it: calls in flight reject
 * with `RPC_CLOSED`, streams throw it, incoming calls are aborted.
 */
export interface Session extends AsyncDisposable {
  /**
   * Errors: what the peer's handler threw, as a `PlatformError`; `RPC_CLOSED` when the session ends first;
   * `RPC_MESSAGE_TOO_LARGE`, `RPC_TOO_DEEP` or `RPC_VALUE_UNSUPPORTED` before anything is sent; an error named
   * `AbortError` or `TimeoutError` by the signal or deadline. A rejection nobody looks at is not reported as unhandled.
   * Waits while the transport is congested or the peer has as many calls in flight as it takes.
   */
  readonly call: (target: string, value: unknown, options?: OutgoingCall) => Promise<unknown>
  /** Starts when iterated; leaving the loop cancels at the peer. Same errors. */
  readonly stream: (target: string, value: unknown, options?: OutgoingCall) => AsyncIterable<unknown>
  /**
   * Sends without an answer. False when it was dropped because the session has ended, too many already wait for a peer
   * that does not read, or it is more than the peer takes. Throws like `call` for a value that cannot cross.
   */
  readonly notify: (target: string, value: unknown) => boolean
  /** Settles when the peer's event loop answered; rejects with `RPC_HUNG` after `deadlineMs`. */
  readonly ping: (deadlineMs: number) => Promise<void>
  /** Requests sent that the peer has not even acknowledged for longer than `ackMs`. */
  readonly hung: () => readonly string[]
  /**
   * Requests given up here, by signal or deadline, for longer than `forMs`, which the peer has not ended yet. They count
   * against what it takes in flight.
   */
  readonly abandoned: (forMs: number) => number
  /** Settles once, never rejects. */
  readonly ended: Promise<SessionEnd>
}

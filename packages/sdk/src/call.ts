/**
 * What one invocation is given, beside its value. Every method and every hook handler takes exactly `(value, call)`.
 * A call is valid until the method's promise settles (or its stream ends); afterwards `progress` and `log` are ignored.
 */
export interface Call {
  /**
   * Aborted when the caller cancels (`AbortError`), when the deadline passes (`TimeoutError`) or when the plugin is
   * stopped and its drain time is over. Pass it on to everything you await.
   */
  readonly signal: AbortSignal
  /** When the caller stops waiting: milliseconds since the epoch, or undefined for no deadline. */
  readonly deadlineAtMs: number | undefined
  /** W3C trace id: 32 lower-case hexadecimal digits. */
  readonly traceId: string
  /** Who calls: `host`, or the id of the calling plugin. */
  readonly caller: string
  /** Lines written here carry plugin, point, method and trace id. */
  readonly log: Logger
  /**
   * Reports how far the work is. Coalesced: the caller sees the newest report, not each one.
   * @param done units done so far, ≥ 0 (bytes for transfers)
   * @param total units in all, when known
   * @param phase short name of the step, such as `snapshot` or `download`
   */
  readonly progress: (done: number, total?: number, phase?: string) => void
}

/** One report of a running call, as its caller receives it. */
export interface Progress {
  readonly done: number
  readonly total?: number
  readonly phase?: string
}

/** What a caller may say about one call. */
export interface CallOptions {
  readonly signal?: AbortSignal | undefined
  /** Milliseconds from now; the smaller of this and the point's own limit counts. */
  readonly deadlineMs?: number | undefined
  readonly onProgress?: ((progress: Progress) => void) | undefined
  readonly traceId?: string | undefined
  /** For a host's own calls: told who answered, once the call has ended well. A plugin does not learn who serves it. */
  readonly onServed?: ((by: ServedBy) => void) | undefined
}

/** Who answered a call: with fallbacks it need not be who was asked. */
export interface ServedBy {
  readonly plugin: string
  readonly version: string
  readonly generation: number
  /** The provider's, or handler's, name. */
  readonly name: string
}

/** Structured log: a message and its fields. Secrets given by the platform are redacted before a line is stored. */
export interface Logger {
  readonly debug: (message: string, fields?: LogFields) => void
  readonly info: (message: string, fields?: LogFields) => void
  readonly warn: (message: string, fields?: LogFields) => void
  readonly error: (message: string, fields?: LogFields) => void
}

/** Values are JSON; an `Error` is written as its {@link PlatformErrorJson}. */
export type LogFields = Readonly<Record<string, unknown>>

/** How urgent a line is. */
export type LogLevel = keyof Logger

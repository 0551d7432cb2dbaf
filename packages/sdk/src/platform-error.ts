/** The JSON form of a {@link PlatformError}; this is what crosses a session and what an API answers with. */
export interface PlatformErrorJson {
  readonly code: string
  readonly message: string
  readonly plugin?: string
  readonly point?: string
  readonly hint?: string
  readonly retryable: boolean
  readonly details?: Readonly<Record<string, unknown>>
  readonly cause?: PlatformErrorJson
}

/** What a {@link PlatformError} may carry beside its code and message. */
export interface PlatformErrorFields {
  readonly plugin?: string | undefined
  readonly point?: string | undefined
  readonly hint?: string | undefined
  readonly retryable?: boolean | undefined
  readonly details?: Readonly<Record<string, unknown>> | undefined
  readonly cause?: unknown
}

/**
 * The only error class of the platform. `code` (`AREA_REASON`) is stable and is what programs compare; `message` is
 * for people and names the culprit; `hint` is one imperative sentence saying what to do now; `retryable` says that the
 * same call may succeed later without anybody changing anything.
 *
 * A plugin that throws an error of its own with a string `code` keeps it as `details.pluginCode`.
 */
export class PlatformError extends Error {
  readonly code: string
  readonly plugin: string | undefined
  readonly point: string | undefined
  readonly hint: string | undefined
  readonly retryable: boolean
  readonly details: Readonly<Record<string, unknown>> | undefined

  constructor(code: string, message: string, fields: PlatformErrorFields = {}) {
    super(message, fields.cause === undefined ? undefined : { cause: fields.cause })
    this.name = 'PlatformError'
    this.code = code
    this.plugin = fields.plugin
    this.point = fields.point
    this.hint = fields.hint
    this.retryable = fields.retryable ?? false
    this.details = fields.details
  }

  /** Never contains a stack: stacks stay in the log of the side that threw. Causes are followed eight deep at most. */
  toJSON(): PlatformErrorJson {
    return toJson(this, 0)
  }

  /** Builds the error from its JSON form; unknown members are dropped and wrong types fall back to safe ones. */
  static fromJSON(json: unknown): PlatformError {
    return fromJson(json, 0)
  }
}

const deepestCause = 8

function toJson(error: unknown, depth: number): PlatformErrorJson {
  const cause =
    error instanceof Error && error.cause !== undefined && depth < deepestCause ? toJson(error.cause, depth + 1) : undefined
  const withCause = cause === undefined ? {} : { cause }
  if (error instanceof PlatformError) {
    return {
      code: error.code,
      message: error.message,
      ...(error.plugin === undefined ? {} : { plugin: error.plugin }),
      ...(error.point === undefined ? {} : { point: error.point }),
      ...(error.hint === undefined ? {} : { hint: error.hint }),
      retryable: error.retryable,
      ...(error.details === undefined ? {} : { details: error.details }),
      ...withCause,
    }
  }
  return { ...foreign(error), retryable: false, ...withCause }
}

/** Errors that are not ours keep their own `code`, or get `AbortError`/`INTERNAL`, so that nothing arrives codeless. */
function foreign(error: unknown): { code: string; message: string } {
  if (!(error instanceof Error)) return { code: 'INTERNAL', message: String(error) }
  const own: unknown = Reflect.get(error, 'code')
  if (error.name === 'AbortError') return { code: 'ABORTED', message: error.message }
  return { code: typeof own === 'string' && own !== '' ? own : 'INTERNAL', message: error.message || error.name }
}

function fromJson(json: unknown, depth: number): PlatformError {
  const source = (typeof json === 'object' && json !== null ? json : {}) as Record<string, unknown>
  const text = (key: string): string | undefined => (typeof source[key] === 'string' ? source[key] : undefined)
  const details = source['details']
  return new PlatformError(text('code') ?? 'INTERNAL', text('message') ?? 'unknown error', {
    plugin: text('plugin'),
    point: text('point'),
    hint: text('hint'),
    retryable: source['retryable'] === true,
    details: typeof details === 'object' && details !== null ? (details as Record<string, unknown>) : undefined,
    cause: source['cause'] === undefined || depth >= deepestCause ? undefined : fromJson(source['cause'], depth + 1),
  })
}

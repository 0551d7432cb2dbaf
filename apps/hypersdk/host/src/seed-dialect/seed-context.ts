import type { Call, Logger } from '@backplane/sdk'

/** The `ctx` that methods of the seed's kind get first: Go's context, and the progress reporter the guide describes. */
export interface SeedContext {
  readonly signal: AbortSignal
  /** When the caller stops waiting; null for never. */
  readonly deadline: Date | null
  readonly log: SeedLogger
  /** Settles when the call is cancelled. */
  readonly Done: () => Promise<void>
  /** Why the call was cancelled, or null. */
  readonly Err: () => unknown
  /** `percent` is 0 to 100. */
  readonly Update: (phase: unknown, percent: unknown, message?: unknown) => void
  readonly progress: { readonly Update: SeedContext['Update'] }
}

/** Lines with alternating keys and values behind the message. */
export type SeedLogger = Readonly<Record<string, (message: unknown, ...pairs: readonly unknown[]) => void>>

/** Makes the context of one call. */
export function seedContext(call: Call): SeedContext {
  const { signal } = call
  const update: SeedContext['Update'] = (phase, percent, message) => {
    const done = Math.min(100, Math.max(0, Number(percent) || 0))
    call.progress(done, 100, String(phase))
    if (typeof message === 'string' && message !== '') call.log.debug(message, { phase, percent: done })
  }
  const done = async (): Promise<void> => {
    if (!signal.aborted) await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }))
  }
  const error = (): unknown => (signal.aborted ? signal.reason : null)
  const names = { done, err: error, update }
  return {
    ...names,
    signal,
    deadline: call.deadlineAtMs === undefined ? null : new Date(call.deadlineAtMs),
    log: seedLogger(call.log),
    Done: done,
    Err: error,
    Update: update,
    progress: { ...names, Update: update },
  }
}

/** `log.Info('exporting', 'vm', id)` and `log.info(…)`, with an object of fields as well. */
export function seedLogger(log: Logger): SeedLogger {
  const levels = ['debug', 'info', 'warn', 'error'] as const
  return Object.fromEntries(
    levels.flatMap((level) => {
      const write = (message: unknown, ...pairs: readonly unknown[]): void => log[level](String(message), fieldsFrom(pairs))
      return [
        [level, write],
        [level.charAt(0).toUpperCase() + level.slice(1), write],
      ]
    }),
  )
}

function fieldsFrom(pairs: readonly unknown[]): Record<string, unknown> {
  const [first] = pairs
  if (pairs.length === 1 && typeof first === 'object' && first !== null && !(first instanceof Error)) return { ...first }
  const fields: Record<string, unknown> = {}
  for (let index = 0; index < pairs.length; index += 2) fields[String(pairs[index])] = pairs[index + 1]
  return fields
}

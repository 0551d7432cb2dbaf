import type { StartRequest } from '@backplane/kernel'
import { runtimeErrors } from './errors.ts'

/** The wait of one start: aborted by the caller's signal, or with `RUNTIME_NOT_READY` when `readyMs` have passed. */
export interface ReadyDeadline extends Disposable {
  readonly signal: AbortSignal
}

/** Starts the wait; dispose it when the start is over, however it ended. */
export function readyDeadline({ plugin, readyMs }: StartRequest, signal: AbortSignal): ReadyDeadline {
  const late = new AbortController()
  const timer = setTimeout(() => {
    late.abort(runtimeErrors.error('RUNTIME_NOT_READY', { plugin: plugin.id, readyMs }, { plugin: plugin.id }))
  }, readyMs)
  const cancel = (): void => late.abort(signal.reason)
  if (signal.aborted) cancel()
  else signal.addEventListener('abort', cancel, { once: true })
  return {
    signal: late.signal,
    [Symbol.dispose]: () => {
      clearTimeout(timer)
      signal.removeEventListener('abort', cancel)
    },
  }
}

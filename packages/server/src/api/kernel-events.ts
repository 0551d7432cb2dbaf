import type { EventLog, RecordedEvent } from '@backplane/kernel'
import type { ServerSentEvent } from '../sse.ts'

/**
 * The kernel's events after `from`, kept ones first, then as they happen, until `signal` aborts. The log itself is the
 * buffer: a reader only holds its place. When events it has not seen are no longer kept, a `gap` event says which.
 */
export async function* kernelEvents(log: EventLog, from: number, signal: AbortSignal): AsyncGenerator<ServerSentEvent> {
  let seen = from
  let wake = (): void => undefined
  using _subscription = log.subscribe(() => wake())
  const stop = (): void => wake()
  signal.addEventListener('abort', stop)
  while (!signal.aborted) {
    const { events, complete } = log.since(seen)
    const [first] = events
    if (!complete && first !== undefined) yield { event: 'gap', data: { from: seen + 1, to: first.seq - 1 } }
    for (const recorded of events) {
      seen = recorded.seq
      yield view(recorded)
      if (signal.aborted) return
    }
    if (events.length === 0) {
      const { promise, resolve } = Promise.withResolvers<void>()
      wake = resolve
      await promise
    }
  }
}

/** The sequence number of the newest event; what a reader who wants only new ones starts from. */
export function newestSeq(log: EventLog): number {
  return log.since(0).events.at(-1)?.seq ?? 0
}

function view({ seq, atMs, event }: RecordedEvent): ServerSentEvent {
  return { id: seq, event: event.type, data: { seq, at: new Date(atMs).toISOString(), ...event } }
}

import type { EventLog, RecordedEvent } from '@backplane/kernel'
import type { ServerSentEvent } from '../sse.ts'

/** Where a reader is: the number of the last event it has seen, and in which life of the process. */
export interface ReaderPlace {
  /** Undefined means this life. */
  readonly life: string | undefined
  readonly seq: number
}

/** Reads `life.seq` (what an event's `id` says) or a bare number; undefined when it is neither. */
export function readerPlace(text: string): ReaderPlace | undefined {
  const match = /^(?:([0-9a-z]{1,16})\.)?(\d{1,15})$/.exec(text)
  return match === null ? undefined : { life: match[1], seq: Number(match[2]) }
}

/** Who reads events, and which. */
export interface EventReader {
  /** Of the process. */
  readonly life: string
  readonly place: ReaderPlace
  /** Others are passed over. */
  readonly isWanted: (event: RecordedEvent) => boolean
}

/**
 * The kernel's events after a place, kept ones first, then as they happen, until `signal` aborts. The log itself is the
 * buffer: a reader only holds its place. When events it has not seen are no longer kept, a `gap` event says which; when
 * its place is of an earlier life of the process, `restarted` says so and everything kept follows.
 */
export async function* kernelEvents(
  log: EventLog,
  { life, place, isWanted }: EventReader,
  signal: AbortSignal,
): AsyncGenerator<ServerSentEvent> {
  const restarted = (place.life ?? life) !== life || place.seq > newestSeq(log)
  if (restarted) yield { event: 'restarted', data: { life } }
  let seen = restarted ? 0 : place.seq
  let wake = (): void => undefined
  using _subscription = log.subscribe(() => wake())
  signal.addEventListener('abort', () => wake())
  while (!signal.aborted) {
    const { events, complete } = log.since(seen)
    const [first] = events
    if (!complete && first !== undefined) yield { event: 'gap', data: { from: seen + 1, to: first.seq - 1 } }
    for (const recorded of events) {
      seen = recorded.seq
      if (isWanted(recorded)) yield view(recorded, life)
      if (signal.aborted) return
    }
    // Nothing can come between this look and the wait: both are of one turn.
    if (events.length > 0 || signal.aborted) continue
    const { promise, resolve } = Promise.withResolvers<void>()
    wake = resolve
    await promise
  }
}

/** The number of the newest event; what a reader who wants only new ones starts from. */
export function newestSeq(log: EventLog): number {
  return log.since(0).events.at(-1)?.seq ?? 0
}

function view({ seq, atMs, event }: RecordedEvent, life: string): ServerSentEvent {
  return { id: `${life}.${seq}`, event: event.type, data: { seq, at: new Date(atMs).toISOString(), ...event } }
}

import type { EventLog, KernelEvent, RecordedEvent } from './events.ts'
import type { Clock, Log } from './ports.ts'
import { messageOf } from './calls/thrown.ts'

/** The writing side of an {@link EventLog}. */
export interface EventRecorder extends EventLog {
  /** `atMs`, when the caller knows it: ms since the epoch. */
  readonly record: (event: KernelEvent, atMs?: number) => void
}

/** A ring of the newest `capacity` events; listeners are told in order, and one that throws is dropped. */
export function createEventLog(clock: Clock, log: Log, capacity = 4_096): EventRecorder {
  const ring: RecordedEvent[] = []
  const listeners = new Set<(recorded: RecordedEvent) => void>()
  let newest = 0
  const at = (seq: number): RecordedEvent | undefined => ring[(seq - 1) % capacity]
  return {
    capacity,
    since: (seq) => {
      const oldest = Math.max(1, newest - capacity + 1)
      const events: RecordedEvent[] = []
      for (let next = Math.max(seq + 1, oldest); next <= newest; next += 1) {
        const recorded = at(next)
        if (recorded !== undefined) events.push(recorded)
      }
      return { events, complete: seq + 1 >= oldest }
    },
    subscribe: (listener) => {
      listeners.add(listener)
      return { [Symbol.dispose]: () => void listeners.delete(listener) }
    },
    record: (event, atMs = clock.now()) => {
      newest += 1
      const recorded: RecordedEvent = { seq: newest, atMs, event }
      ring[(newest - 1) % capacity] = recorded
      for (const listener of listeners) {
        try {
          listener(recorded)
        } catch (error) {
          listeners.delete(listener)
          log.write({ level: 'error', message: `an event listener threw and was dropped: ${messageOf(error)}` })
        }
      }
    },
  }
}

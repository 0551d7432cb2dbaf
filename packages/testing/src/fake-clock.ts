import type { Clock } from '@backplane/kernel'

interface Alarm {
  readonly atMs: number
  readonly run: () => void
}

/** A {@link Clock} that moves only when told to. */
export interface FakeClock extends Clock {
  /** Moves time on, running what falls due in order of its time; each with time standing where it was due. */
  readonly advance: (ms: number) => Promise<void>
  /** Settles when an alarm is set: what is being tested has come to a wait, be it after real input and output. */
  readonly waiting: () => Promise<void>
  /** How many alarms are set. */
  readonly pending: () => number
}

/** Makes a clock that stands at `startMs` (default: 2026-01-01, so that times look like times). */
export function fakeClock(startMs: number = Date.UTC(2026, 0, 1)): FakeClock {
  let nowMs = startMs
  const alarms = new Set<Alarm>()
  let set = Promise.withResolvers<void>()
  const earliest = (limitMs: number): Alarm | undefined => {
    let first: Alarm | undefined
    for (const alarm of alarms) if (alarm.atMs <= limitMs && (first === undefined || alarm.atMs < first.atMs)) first = alarm
    return first
  }
  return {
    now: () => nowMs,
    after: (ms, run) => {
      const alarm = { atMs: nowMs + Math.max(ms, 0), run }
      alarms.add(alarm)
      set.resolve()
      return { [Symbol.dispose]: () => void alarms.delete(alarm) }
    },
    advance: async (ms) => {
      const untilMs = nowMs + ms
      await settle()
      for (let alarm = earliest(untilMs); alarm !== undefined; alarm = earliest(untilMs)) {
        alarms.delete(alarm)
        nowMs = Math.max(nowMs, alarm.atMs)
        alarm.run()
        await settle()
      }
      nowMs = untilMs
    },
    waiting: async () => {
      while (alarms.size === 0) {
        set = Promise.withResolvers()
        await set.promise
      }
    },
    pending: () => alarms.size,
  }
}

/** Lets everything run that waits for nothing but its turn. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 3; turn += 1) await new Promise((resolve) => setImmediate(resolve))
}

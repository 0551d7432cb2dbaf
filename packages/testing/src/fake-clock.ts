import type { Clock } from '@backplane/kernel'

interface Alarm {
  readonly atMs: number
  readonly run: () => void
}

/** A {@link Clock} that moves only when told to. */
export interface FakeClock extends Clock {
  /** Moves time on, running what falls due in order of its time; each with time standing where it was due. */
  readonly advance: (ms: number) => Promise<void>
  /** How many alarms are set. */
  readonly pending: () => number
}

/** Makes a clock that stands at `startMs` (default: 2026-01-01, so that times look like times). */
export function fakeClock(startMs: number = Date.UTC(2026, 0, 1)): FakeClock {
  let nowMs = startMs
  const alarms = new Set<Alarm>()
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
    pending: () => alarms.size,
  }
}

/** Lets everything run that waits for nothing but its turn. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 3; turn += 1) await new Promise((resolve) => setImmediate(resolve))
}

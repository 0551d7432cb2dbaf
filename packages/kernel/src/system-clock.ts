import type { Clock } from './ports.ts'

/** Longest delay a Node timer takes; longer ones would fire at once. Source: Node `setTimeout` documentation. */
const longestMs = 2 ** 31 - 1

/** The machine's own time. Timers do not keep the process alive. */
export const systemClock: Clock = {
  now: () => Date.now(),
  after: (ms, run) => {
    const timer = setTimeout(run, Math.min(Math.max(ms, 0), longestMs)).unref()
    return { [Symbol.dispose]: () => clearTimeout(timer) }
  },
}

import type { Clock } from '@backplane/kernel'
import { FolderHints } from './folder-hints.ts'
import type { Shelf } from './shelf.ts'
import { waitOnClock } from './wait-on-clock.ts'

/** How a shelf is kept up to date. */
export interface LookingOptions {
  readonly clock: Clock
  readonly settleMs: number
  /** Between looks when nothing hints at a change. */
  readonly lookMs: number
  /** Revision that is known already. */
  readonly seen: number
  readonly changed: () => void
}

/** From a hint to the look, so that a burst of them is one look. */
const hintDelayMs = 20

/** Looks take at most this share of the time. */
const lookShare = 1 / 50

/** Looks at a shelf on every hint, and from time to time without one, until disposed. */
export function keepLooking(shelf: Shelf, options: LookingOptions): AsyncDisposable {
  const stop = new AbortController()
  const done = loop(shelf, options, stop.signal)
  return {
    [Symbol.asyncDispose]: async () => {
      stop.abort()
      await done
    },
  }
}

async function loop(shelf: Shelf, options: LookingOptions, signal: AbortSignal): Promise<void> {
  const { clock, settleMs, lookMs, changed } = options
  using hints = new FolderHints()
  let { seen } = options
  while (!signal.aborted) {
    const startedAt = performance.now()
    const isDone = await isLookDone(shelf, signal)
    const tookMs = performance.now() - startedAt
    hints.follow(shelf.folders)
    if (shelf.revision !== seen) {
      seen = shelf.revision
      queueMicrotask(changed)
    }
    if (isDone && !shelf.isAtRest) {
      await waitOnClock(clock, settleMs, signal)
    } else {
      await waitOnClock(clock, Math.max(lookMs, tookMs / lookShare), signal, hints)
      await waitOnClock(clock, hintDelayMs, signal)
    }
  }
}

/** A look that fails as a whole also fails the next `list`, which is where its error is told. */
async function isLookDone(shelf: Shelf, signal: AbortSignal): Promise<boolean> {
  try {
    await shelf.look(signal)
    return true
  } catch {
    return false
  }
}

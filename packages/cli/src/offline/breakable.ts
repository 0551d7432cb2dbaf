import { backplaneErrors } from '../errors.ts'
import type { Terminal } from '../terminal/terminal.ts'

/** Does what Ctrl-C may break off; `left` says what there is then. Errors: `BACKPLANE_BROKEN_OFF`, those of the work. */
export async function breakable<T>(
  terminal: Pick<Terminal, 'untilBreak'>,
  left: string,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const signal = terminal.untilBreak()
  try {
    return await work(signal)
  } catch (error) {
    if (!signal.aborted) throw error
    throw backplaneErrors.error('BACKPLANE_BROKEN_OFF', { left }, { cause: error })
  }
}

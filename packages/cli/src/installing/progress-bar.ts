import type { Progress } from '@backplane/sdk'
import { clipped, printableLine } from '@backplane/terminal'
import type { Terminal } from '../terminal/terminal.ts'

const width = 24

/** One line on a terminal that is painted over; nothing at all where nobody sits. Dispose to take the line away. */
export function progressBar(
  { live, err }: Terminal,
  isQuiet: boolean,
): Disposable & { readonly show: (progress: Progress) => void } {
  if (!live || isQuiet) return { show: () => undefined, [Symbol.dispose]: () => undefined }
  let isShown = false
  return {
    show: ({ done, total, phase }) => {
      isShown = true
      const share = total == null || total === 0 ? undefined : Math.min(1, Math.max(0, done / total))
      const bar =
        share === undefined ? '' : `[${'#'.repeat(Math.round(share * width)).padEnd(width)}] ${Math.round(share * 100)}% `
      err(`\r\u001B[K${bar}${clipped(printableLine(phase ?? ''), 60)}`)
    },
    [Symbol.dispose]: () => {
      if (isShown) err('\r\u001B[K')
    },
  }
}

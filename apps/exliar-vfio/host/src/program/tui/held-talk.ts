import type { TerminalScreen } from '../terminal.ts'

/** Lines that are kept for the end, the newest. */
const keptLines = 200

/** What was written elsewhere while the screen was drawn. */
export interface HeldTalk extends Disposable {
  readonly lines: readonly string[]
}

/**
 * Keeps what anybody writes to a stream away from the screen, line by line, until disposed; then the newest of it is written
 * there after all. `onLine` is told of each.
 */
export function holdTalk(stream: TerminalScreen['stderr'], onLine: (text: string) => void): HeldTalk {
  const lines: string[] = []
  const write = Object.getOwnPropertyDescriptor(stream, 'write')
  let rest = ''
  const keep = (text: string): void => {
    if (lines.push(text) > keptLines) lines.shift()
    onLine(text)
  }
  const held: NodeJS.WriteStream['write'] = (chunk: string | Uint8Array, ...more: readonly unknown[]) => {
    const parts = (rest + (typeof chunk === 'string' ? chunk : Buffer.from(chunk).toString())).split('\n')
    rest = parts.pop() ?? ''
    for (const text of parts) keep(text)
    const done = more.find((one) => typeof one === 'function')
    if (done !== undefined) queueMicrotask(done as () => void)
    return true
  }
  stream.write = held
  return {
    lines,
    [Symbol.dispose]: () => {
      if (stream.write !== held) return
      if (write === undefined) Reflect.deleteProperty(stream, 'write')
      else Object.defineProperty(stream, 'write', write)
      if (rest !== '') lines.push(rest)
      if (lines.length > 0) stream.write(`${lines.join('\n')}\n`)
    },
  }
}

import { createInterface } from 'node:readline/promises'
import { Writable } from 'node:stream'
import { text } from 'node:stream/consumers'

/** Most that is read from standard input, characters. */
const longest = 1024 * 1024

/**
 * What somebody types without it being shown, or all of standard input where nobody sits there, without one end of line at
 * its end. Empty when there is nothing.
 */
export async function readSecret(question: string): Promise<string> {
  if (!process.stdin.isTTY) return (await text(process.stdin)).slice(0, longest).replace(/\r?\n$/, '')
  process.stderr.write(question)
  // Readline echoes what is typed to its output, which here goes nowhere.
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() })
  const lines = createInterface({ input: process.stdin, output: nowhere, terminal: true })
  try {
    return await lines.question('')
  } catch {
    return ''
  } finally {
    lines.close()
    process.stderr.write('\n')
  }
}

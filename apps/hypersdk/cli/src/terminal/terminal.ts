import { styleText } from 'node:util'

/** Where hyperctl reads and writes; tests replace it. Data goes to `out`, talk to `err`. */
export interface Terminal {
  readonly out: (text: string) => void
  readonly err: (text: string) => void
  /** Whether `err` is a terminal whose lines can be replaced. */
  readonly live: boolean
  readonly columns: () => number
  readonly colors: boolean
  readonly env: Readonly<Record<string, string | undefined>>
  readonly uid: number | undefined
  readonly readStdin: () => Promise<string>
}

/** Words that stand out, where colours are wanted. */
export function highlight(terminal: Terminal, style: 'red' | 'green' | 'yellow' | 'dim', text: string): string {
  return terminal.colors ? styleText(style, text, { validateStream: false }) : text
}

/** A line that replaces itself on a live terminal, and on others is written only when it says something new enough. */
export class StatusLine {
  readonly #terminal: Terminal
  #shown = false

  constructor(terminal: Terminal) {
    this.#terminal = terminal
  }

  replace(line: string): void {
    this.#terminal.err(`\r\u001B[K${line}`)
    this.#shown = true
  }

  /** Writes a line of its own, above the replaced one. */
  print(line: string): void {
    this.#terminal.err(`${this.#shown ? '\r\u001B[K' : ''}${line}\n`)
    this.#shown = false
  }

  /** Leaves what is shown and goes to the next line. */
  end(): void {
    if (this.#shown) this.#terminal.err('\n')
    this.#shown = false
  }
}

/** A line that replaces itself, for live terminals; whoever writes to others prints lines. Its text is clean, and as wide as there is room. */
export class StatusLine {
  readonly #terminal: { readonly err: (text: string) => void }
  #shown = false

  constructor(terminal: { readonly err: (text: string) => void }) {
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

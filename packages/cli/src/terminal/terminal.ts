/** Where the command line writes and what it may take from around it; tests replace it. Data goes to `out`, talk to `err`. */
export interface Terminal {
  readonly out: (text: string | Uint8Array) => void
  readonly err: (text: string) => void
  /** Whether `out` is a terminal that can be painted over. */
  readonly live: boolean
  readonly colors: boolean
  readonly env: Readonly<Record<string, string | undefined>>
  /** Asks somebody who sits there and answers what was typed; undefined where nobody does. */
  readonly ask: ((question: string) => Promise<string>) | undefined
  /** What is typed without being shown, or all of standard input where nobody sits there. */
  readonly readSecret: (question: string) => Promise<string>
  /** From now on a break (Ctrl-C) does not end the process: it aborts this. */
  readonly untilBreak: () => AbortSignal
}

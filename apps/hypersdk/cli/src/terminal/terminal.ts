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

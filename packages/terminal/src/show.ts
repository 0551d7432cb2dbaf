import { printableJson } from './printable.ts'

/** Where an answer is shown, and how. */
export interface Shown {
  readonly terminal: { readonly out: (text: string) => void }
  readonly json: boolean
}

/** Shows an answer: as it came with `--json`, else as text. */
export function show({ terminal, json }: Shown, answer: unknown, text: () => string): void {
  terminal.out(json ? `${printableJson(answer, 2)}\n` : text())
}

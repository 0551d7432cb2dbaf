import { printableLine } from '@backplane/terminal'

/** Why one of several was not done. */
export interface Failed {
  readonly id: string
  readonly code: string
  readonly message: string
  readonly hint: string | null
}

/** Two lines about it: what was not done and why, then what to do. */
export function failedText({ id, code, message, hint }: Failed, what: string): string {
  const todo = hint === null ? '' : `    → ${printableLine(hint)}\n`
  return `${printableLine(`${id} ${what}: ${message}. (${code})`)}\n${todo}`
}

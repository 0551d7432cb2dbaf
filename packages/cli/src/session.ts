import type { ApiClient } from '@backplane/server/client'
import { printableJson } from '@backplane/terminal'
import type { Terminal } from './terminal/terminal.ts'

/** What a verb works with. */
export interface Session {
  /** Errors: `BACKPLANE_HOST_UNSAID` when nothing says which host is meant. */
  readonly api: () => ApiClient
  /** Whether something says which host is meant. */
  readonly hasHost: boolean
  readonly terminal: Terminal
  readonly json: boolean
}

/** A verb: does its work and answers its exit code; 0 when it answers none. */
export type Verb<Args extends readonly unknown[]> = (session: Session, ...args: Args) => Promise<number | void>

/** Makes a commander action of a verb; its arguments are the command's own, then its options. */
export type Runner = <Args extends readonly unknown[]>(verb: Verb<Args>) => (...args: [...Args, ...unknown[]]) => Promise<void>

/** Shows an answer: as it came with `--json`, else as text. */
export function show(session: Session, answer: unknown, text: () => string): void {
  session.terminal.out(session.json ? `${printableJson(answer, 2)}\n` : text())
}

/** The path of a plugin; its slash stays escaped, so that an id is one segment. */
export function pluginPath(id: string): string {
  return `/api/plugins/${encodeURIComponent(id)}`
}

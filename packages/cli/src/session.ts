import type { ApiClient } from '@backplane/server/client'
import type { RunnerOf } from '@backplane/terminal'
import type { Terminal } from './terminal/terminal.ts'

export { show } from '@backplane/terminal'

/** What a verb works with. */
export interface Session {
  /** Errors: `BACKPLANE_HOST_UNSAID` when nothing says which host is meant. */
  readonly api: () => ApiClient
  /** Whether something says which host is meant. */
  readonly hasHost: boolean
  readonly terminal: Terminal
  readonly json: boolean
}

/** Makes a commander action of a verb. */
export type Runner = RunnerOf<Session>

/** The path of a plugin; its slash stays escaped, so that an id is one segment. */
export function pluginPath(id: string): string {
  return `/api/plugins/${encodeURIComponent(id)}`
}

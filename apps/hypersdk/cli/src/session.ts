import type { ApiClient } from '@backplane/server/client'
import type { RunnerOf } from '@backplane/terminal'
import type { Terminal } from './terminal/terminal.ts'

export { show } from '@backplane/terminal'

/** What a verb works with. */
export interface Session {
  readonly api: ApiClient
  readonly terminal: Terminal
  readonly json: boolean
}

/** Makes a commander action of a verb. */
export type Runner = RunnerOf<Session>

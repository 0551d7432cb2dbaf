import type { RunnerOf } from '@backplane/terminal'
import type { Session } from './session.ts'

/** Makes a commander action of a verb. */
export type Runner = RunnerOf<Session>

import type { Session } from './session.ts'

/** A verb: does its work and answers its exit code; 0 when it answers none. */
export type Verb<Args extends readonly unknown[]> = (session: Session, ...args: Args) => Promise<number | void>

/** Makes a commander action of a verb; its arguments are the command's own, then its options. */
export type Runner = <Args extends readonly unknown[]>(verb: Verb<Args>) => (...args: [...Args, ...unknown[]]) => Promise<void>

/** A verb: does its work and answers its exit code; 0 when it answers none. */
export type VerbOf<Session, Args extends readonly unknown[]> = (session: Session, ...args: Args) => Promise<number | void>

/** Makes a commander action of a verb; its arguments are the command's own, then its options. */
export type RunnerOf<Session> = <Args extends readonly unknown[]>(
  verb: VerbOf<Session, Args>,
) => (...args: [...Args, ...unknown[]]) => Promise<void>

/** Runs verbs `within` whatever opens a session for each, lets go of it, and keeps the exit code. */
export function verbRunner<Session>(
  within: (work: (session: Session) => Promise<number | void>) => Promise<void>,
): RunnerOf<Session> {
  return <Args extends readonly unknown[]>(verb: VerbOf<Session, Args>) =>
    async (...given: [...Args, ...unknown[]]) => {
      // Commander adds the command itself at the end.
      const own = given.slice(0, -1) as unknown as Args
      await within((session) => verb(session, ...own))
    }
}

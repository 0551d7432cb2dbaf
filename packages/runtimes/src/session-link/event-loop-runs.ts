import type { Session } from '@backplane/rpc'

/** How long a second look may take, ms. */
const againMs = 1_000

/**
 * Whether the guest's event loop answers within `hangMs`; one whose session is over counts as running. It is asked twice:
 * when this side stood still itself, its timers are due before the answer that has long been there is read.
 */
export async function eventLoopRuns(session: Session, hangMs: number): Promise<boolean> {
  return (await answers(session, hangMs)) || (await answers(session, againMs))
}

async function answers(session: Session, deadlineMs: number): Promise<boolean> {
  try {
    await session.ping(deadlineMs)
    return true
  } catch (error) {
    return Reflect.get(Object(error), 'code') !== 'RPC_HUNG'
  }
}

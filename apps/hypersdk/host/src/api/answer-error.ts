import type { Log } from '@backplane/kernel'
import type { ErrorCatalogue } from '@backplane/sdk'
import { problemResponder } from '@backplane/server'

/** Nobody reads this answer; the number is the one proxies log for a client that went away. */
const clientGone = 499

/** Turns whatever a route threw into its answer: a problem, or nothing much for a client that is gone. */
export function answerError(catalogues: readonly ErrorCatalogue[], log: Log): (error: unknown) => Response {
  const respond = problemResponder(catalogues, log)
  return (error) => {
    if (error instanceof Error && error.name === 'AbortError') return new Response(null, { status: clientGone })
    return respond(error)
  }
}

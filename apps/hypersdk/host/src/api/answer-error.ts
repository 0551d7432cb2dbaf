import type { Log } from '@backplane/kernel'
import type { ErrorCatalogue } from '@backplane/sdk'
import { problemResponder } from '@backplane/server'
import type { Redactor } from '../secrets/redactor.ts'

/** Nobody reads this answer; the number is the one proxies log for a client that went away. */
const clientGone = 499

/** Turns whatever a route threw into its answer. */
export type AnswerError = (error: unknown) => Promise<Response>

/** Errors of the routes: a problem without secrets. */
export function answerError(catalogues: readonly ErrorCatalogue[], redactor: Redactor, log: Log): AnswerError {
  const respond = problemResponder(catalogues, log)
  return async (error) => {
    if (error instanceof Error && error.name === 'AbortError') return new Response(null, { status: clientGone })
    const response = respond(error)
    const problem = redactor.value(await response.json())
    return new Response(JSON.stringify(problem), { status: response.status, headers: response.headers })
  }
}

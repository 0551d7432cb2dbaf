import type { Handler } from '@backplane/server'
import { now } from './views.ts'

/** Adds to every problem, whoever answers it, the two members older clients read: `error` and `timestamp`. */
export function withOlderMembers(handler: Handler): Handler {
  return async (request, peer) => {
    const response = await handler(request, peer)
    if (response.body === null || response.headers.get('content-type') !== 'application/problem+json') return response
    const problem = (await response.json()) as Readonly<Record<string, unknown>>
    const body = JSON.stringify({ ...problem, error: problem['detail'], timestamp: now() })
    return new Response(body, { status: response.status, headers: response.headers })
  }
}

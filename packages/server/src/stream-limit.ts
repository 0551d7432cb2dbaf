import { serverErrors } from './errors.ts'

/**
 * Bounds the streams that are open at once. Call it for each new one, and what it answers once when that one ends
 * (`onEnd` of `serverSentEvents`). Errors, thrown: `SERVER_STREAMS_FULL`.
 */
export function streamLimit(limit: number): () => () => void {
  let open = 0
  return () => {
    if (open >= limit) throw serverErrors.error('SERVER_STREAMS_FULL', { limit })
    open += 1
    return () => {
      open -= 1
    }
  }
}

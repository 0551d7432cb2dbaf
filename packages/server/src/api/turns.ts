import { serverErrors } from '../errors.ts'

/**
 * Lets work for one key go one after another, and work for different keys at once; no more than `limit` for one key may be
 * under way or waiting. Errors: `SERVER_PLUGIN_BUSY`.
 */
export function turns(limit = 16): <T>(key: string, work: () => Promise<T>) => Promise<T> {
  const queues = new Map<string, { last: Promise<unknown>; length: number }>()
  return async (key, work) => {
    const queue = queues.get(key) ?? { last: Promise.resolve(), length: 0 }
    if (queue.length >= limit) throw serverErrors.error('SERVER_PLUGIN_BUSY', { id: key, limit }, { details: { seconds: 1 } })
    const mine = queue.last.then(work, work)
    queue.last = mine
    queue.length += 1
    queues.set(key, queue)
    try {
      return await mine
    } finally {
      queue.length -= 1
      if (queue.length === 0) queues.delete(key)
    }
  }
}

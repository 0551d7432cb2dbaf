import { setTimeout as wait } from 'node:timers/promises'
import type { ApiClient } from './api-client.ts'
import type { ApiEvent } from './event-stream.ts'

/** How hard a broken stream is taken up again. */
export interface FollowOptions {
  /** Resumes after this event. */
  readonly since?: string | undefined
  /** How long the host may be away at a stretch, ms. Default 60 000. */
  readonly awayMs?: number
  /** Ends it. */
  readonly signal?: AbortSignal | undefined
  /** Told when the stream broke and is being taken up again. */
  readonly onBreak?: () => void
}

/**
 * Follows a stream over broken connections and restarts of the host, each time from the last event seen. Ends only by
 * the reader or its signal; throws what the host refuses, or that it stayed away too long.
 */
export async function* follow(api: ApiClient, path: string, options: FollowOptions = {}): AsyncGenerator<ApiEvent> {
  const { awayMs = 60_000, onBreak, signal } = options
  let seen = options.since
  let awaySinceMs: number | undefined
  const onOpen = (): void => {
    awaySinceMs = undefined
  }
  for (let connected = false; ; connected = true) {
    try {
      for await (const event of api.events(path, { lastId: seen, onOpen, signal })) {
        seen = event.id ?? seen
        yield event
      }
    } catch (error) {
      if (signal?.aborted === true) return
      const away = isAway(error) && connected
      if (!away || (awaySinceMs !== undefined && performance.now() - awaySinceMs >= awayMs)) throw error
    }
    if (signal?.aborted === true) return
    if (awaySinceMs === undefined) onBreak?.()
    awaySinceMs ??= performance.now()
    await wait(200)
  }
}

function isAway(error: unknown): boolean {
  const code: unknown = error instanceof Error ? Reflect.get(error, 'code') : undefined
  return code === 'CLIENT_CONNECTION_LOST' || code === 'CLIENT_UNREACHABLE' || code === 'CLIENT_TIMEOUT'
}

import type { Peer } from './handler.ts'

/** One event of a stream. `data` is JSON. */
export interface ServerSentEvent {
  /** What a client resumes from: it comes back as `Last-Event-ID`. */
  readonly id?: string | number
  readonly event?: string
  readonly data: unknown
}

/** How a stream behaves towards its client. */
export interface SseOptions {
  /** A comment goes out after this long without an event, so that a dead client is noticed. Default 15 000. */
  readonly heartbeatMs?: number
  /** A client that takes nothing for this long is dropped, ms. Default 30 000. */
  readonly stallMs?: number
  /** Called once, however the stream ends. */
  readonly onEnd?: () => void
}

/**
 * Answers with a stream of events. Events are taken from `events` only as fast as the client reads, so at most one waits
 * here; whoever makes them decides what to do meanwhile (skip, coalesce, announce a gap). The signal `events` is given
 * is aborted when the client goes, stalls or the server closes; the stream then ends, and the iterator is told to return.
 * Events it still has at once when the server closes are sent: they may be the end somebody waits for.
 * When `events` ends or throws, so does the stream. Source: WHATWG HTML §9.2.
 */
export function serverSentEvents(
  peer: Pick<Peer, 'closing'>,
  events: (signal: AbortSignal) => AsyncIterable<ServerSentEvent>,
  options: SseOptions = {},
): Response {
  const { heartbeatMs = 15_000, stallMs = 30_000, onEnd } = options
  const ended = new AbortController()
  const signal = AbortSignal.any([ended.signal, peer.closing])
  const iterator = events(signal)[Symbol.asyncIterator]()
  const encoder = new TextEncoder()
  let next: Promise<IteratorResult<ServerSentEvent>> | undefined
  let stall: NodeJS.Timeout | undefined

  const finish = (): void => {
    clearTimeout(stall)
    if (ended.signal.aborted) return
    ended.abort()
    onEnd?.()
    // Whoever makes the events may be waiting at a `yield`; this lets its `finally` and `using` run.
    void Promise.resolve(iterator.return?.()).catch(() => undefined)
  }
  const body = new ReadableStream<Uint8Array<ArrayBuffer>>(
    {
      start: (controller) => controller.enqueue(encoder.encode('retry: 2000\n\n')),
      pull: async (controller) => {
        clearTimeout(stall)
        next ??= iterator.next()
        const result = await within(next, heartbeatMs, signal).catch((error: unknown) => {
          finish()
          throw error
        })
        if (result !== 'late') next = undefined
        if (result === 'ended' || (result !== 'late' && result.done === true)) {
          finish()
          controller.close()
          return
        }
        stall = setTimeout(() => {
          finish()
          controller.error(new DOMException('The client does not read', 'TimeoutError'))
        }, stallMs).unref()
        controller.enqueue(encoder.encode(result === 'late' ? ': beat\n\n' : eventText(result.value)))
      },
      cancel: finish,
    },
    { highWaterMark: 1 },
  )
  return new Response(body, { headers: { 'content-type': 'text/event-stream', 'cache-control': 'no-store' } })
}

/** The event as it is written. JSON has no line breaks, so one `data` line holds it. */
function eventText({ id, event, data }: ServerSentEvent): string {
  const head = `${id === undefined ? '' : `id: ${id}\n`}${event === undefined ? '' : `event: ${event}\n`}`
  return `${head}data: ${JSON.stringify(data)}\n\n`
}

/** What `events` may take to say its last words, ms. */
const lastWordsMs = 100

async function within<T>(promise: Promise<T>, ms: number, signal: AbortSignal): Promise<T | 'late' | 'ended'> {
  const over = Promise.withResolvers<'late' | 'ended'>()
  const timer = setTimeout(() => over.resolve('late'), ms)
  let last: NodeJS.Timeout | undefined
  const end = (): void => {
    last = setTimeout(() => over.resolve('ended'), lastWordsMs)
  }
  signal.addEventListener('abort', end)
  if (signal.aborted) end()
  try {
    return await Promise.race([promise, over.promise])
  } finally {
    clearTimeout(timer)
    clearTimeout(last)
    signal.removeEventListener('abort', end)
  }
}

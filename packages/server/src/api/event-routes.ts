import type { Kernel, KernelEvent, RecordedEvent } from '@backplane/kernel'
import type { OpenAPIHono } from '@hono/zod-openapi'
import { serverErrors } from '../errors.ts'
import { reaches } from '../guard/caller.ts'
import type { Peer } from '../handler.ts'
import { serverSentEvents, type SseOptions } from '../sse.ts'
import { streamLimit } from '../stream-limit.ts'
import { kernelEvents, newestSeq, readerPlace, type ReaderPlace } from './kernel-events.ts'
import { streamEvents } from './routes.ts'

/** Limits of `/api/events`. */
export interface EventStreamOptions extends Omit<SseOptions, 'onEnd'> {
  /** Streams open at once. Default 64. */
  readonly streams?: number
}

/** Adds the event stream. A client that comes back (`Last-Event-ID`) goes on where it was, whatever `since` says. */
export function addEventRoutes(app: OpenAPIHono<{ Bindings: Peer }>, kernel: Kernel, options: EventStreamOptions): void {
  const { streams = 64, ...sse } = options
  const life = Date.now().toString(36)
  const begin = streamLimit(streams)
  app.openapi(streamEvents, (context) => {
    const { 'last-event-id': lastEventId } = context.req.valid('header')
    const since = lastEventId ?? context.req.valid('query').since
    const place = since === undefined ? { life, seq: newestSeq(kernel.events) } : placeOf(since)
    const onEnd = begin()
    const { caller } = context.env
    const isWanted = ({ event }: RecordedEvent): boolean => caller?.plugins === undefined || reaches(caller, pluginOf(event))
    const stream = { life, place, isWanted }
    return serverSentEvents(context.env, (signal) => kernelEvents(kernel.events, stream, signal), { ...sse, onEnd })
  })
}

function placeOf(text: string): ReaderPlace {
  const place = readerPlace(text)
  if (place === undefined) throw serverErrors.error('SERVER_REQUEST_INVALID', { reason: `\`${text.slice(0, 40)}\` is no event` })
  return place
}

/** Events that are about no plugin are for those who may see all of them. */
function pluginOf(event: KernelEvent): string {
  return 'plugin' in event ? event.plugin : ''
}

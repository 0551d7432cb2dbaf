import { EventSourceParserStream } from 'eventsource-parser/stream'

/** One event of a stream; `data` is the host's JSON. */
export interface ApiEvent {
  /** What to resume from; undefined when the event carries no id of its own. */
  readonly id: string | undefined
  readonly event: string
  readonly data: unknown
}

/** What is too much. */
export interface EventLimits {
  /** Most characters of one event. Default 16 Mi. */
  readonly eventCharacters: number
}

/**
 * Reads server-sent events until the bytes end. Rejects with what broke the bytes off, with `ParseError` for an event
 * over the limit, and with `SyntaxError` for data that is not JSON. Source: WHATWG HTML §9.2.
 */
export async function* readEvents(
  bytes: ReadableStream<Uint8Array<ArrayBuffer>>,
  { eventCharacters }: EventLimits = { eventCharacters: 16 * 1024 * 1024 },
): AsyncGenerator<ApiEvent> {
  const messages = bytes
    .pipeThrough(new TextDecoderStream())
    .pipeThrough(new EventSourceParserStream({ maxBufferSize: eventCharacters }))
  for await (const { id, event = 'message', data } of messages) yield { id, event, data: JSON.parse(data) }
}

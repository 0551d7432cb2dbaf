import type { CallContext, Invoker } from '@backplane/kernel'
import type { Handler, IncomingCall } from '@backplane/rpc'
import { runtimeErrors } from '../errors.ts'
import { parseTarget } from './target-words.ts'

/** Answers what {@link invokerOverSession} asks. `caller`, when given, replaces what the other side says of itself. */
export function invokerHandler(invoker: Invoker, caller?: string): Required<Pick<Handler, 'call' | 'stream'>> {
  const context = (incoming: IncomingCall): CallContext => new IncomingContext(incoming, caller)
  return {
    call: (text, value, incoming) => {
      const parsed = parseTarget(text)
      switch (parsed?.verb) {
        case 'call':
          return invoker.call(parsed.target, value, context(incoming))
        case 'open':
          return invoker.open(parsed.target, value, context(incoming))
        case 'close':
          return invoker.close(parsed.target)
        case 'stream':
        case undefined:
          throw unknownTarget(text)
      }
    },
    stream: (text, value, incoming) => {
      const parsed = parseTarget(text)
      if (parsed?.verb !== 'stream') throw unknownTarget(text)
      return invoker.stream(parsed.target, value, context(incoming))
    },
  }
}

/** What came with a call, as an invoker takes it; signal and progress are made only when looked at. */
export class IncomingContext implements CallContext {
  readonly caller: string
  readonly #incoming: IncomingCall

  constructor(incoming: IncomingCall, caller: string = incoming.caller) {
    this.caller = caller
    this.#incoming = incoming
  }

  get signal(): AbortSignal {
    return this.#incoming.signal
  }

  get deadlineAtMs(): number | undefined {
    return this.#incoming.deadlineAtMs
  }

  get traceId(): string {
    return this.#incoming.traceId
  }

  get onProgress(): NonNullable<CallContext['onProgress']> {
    return (progress) => this.#incoming.progress(progress)
  }
}

/** Nothing here goes by that text. */
function unknownTarget(text: string): Error {
  return runtimeErrors.error('RUNTIME_TARGET_UNKNOWN', { plugin: 'this side', target: text.slice(0, 200) })
}

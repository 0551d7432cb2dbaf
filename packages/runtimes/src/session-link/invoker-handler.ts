import type { CallContext, Invoker } from '@backplane/kernel'
import type { Handler, IncomingCall } from '@backplane/rpc'
import { runtimeErrors } from '../errors.ts'
import { parseTarget } from './target-words.ts'

/** Answers what {@link invokerOverSession} asks. `caller`, when given, replaces what the other side says of itself. */
export function invokerHandler(invoker: Invoker, caller?: string): Required<Pick<Handler, 'call' | 'stream'>> {
  const context = (incoming: IncomingCall): CallContext => incomingContext(incoming, caller)
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

/** What came with a call, as the invoker takes it. */
export function incomingContext(incoming: IncomingCall, caller: string = incoming.caller): CallContext {
  const { signal, deadlineAtMs, traceId } = incoming
  return { signal, deadlineAtMs, traceId, caller, onProgress: (progress) => incoming.progress(progress) }
}

/** Nothing here goes by that text. */
export function unknownTarget(text: string): Error {
  return runtimeErrors.error('RUNTIME_TARGET_UNKNOWN', { plugin: 'this side', target: text.slice(0, 200) })
}

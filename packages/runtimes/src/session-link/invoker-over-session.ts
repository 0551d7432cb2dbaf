import type { CallContext, Invoker, OpenedInstance } from '@backplane/kernel'
import type { OutgoingCall, Session } from '@backplane/rpc'
import { runtimeErrors } from '../errors.ts'
import { callWords, targetWords } from './target-words.ts'

/** Calls the functions at the other end of a session; what {@link invokerHandler} answers there. */
export function invokerOverSession(session: Session): Invoker {
  return {
    call: (target, value, context) => session.call(callWords(target), value, outgoing(context)),
    stream: (target, value, context) => session.stream(targetWords('stream', target), value, outgoing(context)),
    open: async (target, options, context) =>
      openedInstance(await session.call(targetWords('open', target), options, outgoing(context)), target.name),
    close: async (target) => {
      await session.call(targetWords('close', target), null)
    },
  }
}

/** The context of a call as a session takes it; a signal is looked at only where there is nothing cheaper. */
export function outgoing(context: CallContext): OutgoingCall {
  const { cancellation, deadlineAtMs, traceId, caller, onProgress } = context
  return { signal: cancellation ?? context.signal, deadlineAtMs, traceId, caller, onProgress }
}

/** What the other side says it opened; it may say anything. */
function openedInstance(answer: unknown, name: string): OpenedInstance {
  const { instance, methods } = Object(answer) as Record<string, unknown>
  if (Number.isSafeInteger(instance) && isTexts(methods)) return { instance: instance as number, methods }
  const parameters = { plugin: 'the other side', target: `open of "${name}"`, found: typeof answer, expected: 'an instance' }
  throw runtimeErrors.error('RUNTIME_ANSWER_INVALID', parameters)
}

/** Whether a value is a list of texts. */
export function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string')
}

import type { Invoker, OpenedInstance } from '@backplane/kernel'
import type { Session } from '@backplane/rpc'
import { runtimeErrors } from '../errors.ts'
import { callWords, targetWords } from './target-words.ts'

/** Calls the functions at the other end of a session; what {@link invokerHandler} answers there. */
export function invokerOverSession(session: Session): Invoker {
  return {
    // A context is handed on as it is: what of it is made only when looked at stays unmade.
    call: (target, value, context) => session.call(callWords(target), value, context),
    stream: (target, value, context) => session.stream(targetWords('stream', target), value, context),
    open: async (target, options, context) =>
      openedInstance(await session.call(targetWords('open', target), options, context), target.name),
    close: async (target) => {
      await session.call(targetWords('close', target), null)
    },
  }
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

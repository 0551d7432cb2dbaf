import type { CallRequest } from './active-call.ts'
import type { Core } from '../core.ts'

/** A call was not even taken: somebody else may be asked without anything being done twice. */
const notTaken: ReadonlySet<unknown> = new Set(['PLUGIN_UNAVAILABLE', 'CALL_BREAKER_OPEN', 'POINT_UNKNOWN_PROVIDER'])

/** What is called, and the names it may be asked of, the one it is for first. */
export interface Ways {
  readonly point: string
  readonly method: string
  readonly names: readonly string[]
}

/** The names the host wants asked, in order, when `name` cannot be. */
export function fallbacksOf(core: Core, point: string, name: string): readonly string[] {
  const named = core.options.fallbacks?.[point]
  return named !== undefined && Object.hasOwn(named, name) ? (named[name] ?? nothing) : nothing
}

/**
 * Runs `attempt` for a name and, as long as that is refused without having been asked, for the next; each change is told.
 * The error is the first one's: what was asked for is what has to be repaired.
 */
export async function withFallbacks<T>(
  core: Core,
  about: Ways,
  request: CallRequest,
  attempt: (name: string) => Promise<T>,
): Promise<T> {
  let refusal: unknown
  for (const [index, name] of about.names.entries()) {
    try {
      return await attempt(name)
    } catch (error) {
      if (!isNotTaken(error)) throw error
      refusal ??= error
      const to = about.names[index + 1]
      if (to === undefined) break
      const { point, method } = about
      const event = { type: 'call.fell-back', point, method, from: name, to, code: codeOf(error) } as const
      core.events.record(request.traceId === undefined ? event : { ...event, traceId: request.traceId })
    }
  }
  throw refusal
}

/** The same for a call that answers many: until the first item, which shows that it was taken. */
export function streamWithFallbacks(
  core: Core,
  about: Ways,
  request: CallRequest,
  attempt: (name: string) => AsyncIterable<unknown>,
): AsyncIterable<unknown> {
  return {
    [Symbol.asyncIterator]: () => {
      let taken: AsyncIterator<unknown> | undefined
      const begin = (name: string): Promise<IteratorResult<unknown>> => {
        taken = attempt(name)[Symbol.asyncIterator]()
        return taken.next()
      }
      return {
        next: () => taken?.next() ?? withFallbacks(core, about, request, begin),
        return: async () => (await taken?.return?.()) ?? { done: true, value: undefined },
      }
    },
  }
}

/** Whether an error says that nobody was asked. */
export function isNotTaken(error: unknown): boolean {
  return notTaken.has(codeOf(error))
}

/** The same names without those before one of them. */
export function namesFrom({ names }: Ways, name: string): readonly string[] {
  return names.slice(Math.max(0, names.indexOf(name)))
}

function codeOf(error: unknown): string {
  return String(Reflect.get(Object(error), 'code'))
}

const nothing: readonly string[] = Object.freeze([])

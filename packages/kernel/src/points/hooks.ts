import { isDeepStrictEqual } from 'node:util'
import type { HookPoint, PlatformError } from '@backplane/sdk'
import type { CallRequest } from '../calls/active-call.ts'
import { inputInvalid } from '../calls/call-error.ts'
import type { Core } from '../core.ts'
import type { Lane } from '../calls/dispatcher.ts'
import { kernelErrors } from '../errors.ts'
import { type Ordered, orderHandlers } from './hook-order.ts'
import { HookTrace } from './hook-trace.ts'
import type { EmitOptions, HookOutcome, HookStep } from '../hook-outcome.ts'
import { unavailable } from './points.ts'
import type { Binding, PointTable, Route } from './point-table.ts'

interface Outcome {
  steps?: readonly HookStep[]
  value: unknown
  answer: unknown
  veto: HookOutcome<unknown, unknown>['veto']
  readonly changes: { readonly plugin: string; readonly name: string }[]
  readonly failures: HookOutcome<unknown, unknown>['failures'][number][]
}

/** Runs the handlers of a hook by its strategy. Errors: `CALL_INPUT_INVALID`, and a handler's when the hook says `fail`. */
export async function emit(
  core: Core,
  table: PointTable,
  value: unknown,
  request: CallRequest & Pick<EmitOptions, 'trace' | 'only'>,
): Promise<HookOutcome<unknown, unknown>> {
  const { point } = table
  const route = table.routes.get('handle')
  if (point.kind !== 'hook' || route === undefined) throw kernelErrors.error('POINT_UNKNOWN', { point: point.id, suggestion: '' })
  const checked = table.emitted?.(value) ?? { value }
  if (checked.issues !== undefined) throw inputInvalid({ ...route, method: 'emit' }, checked.issues)
  const outcome: Outcome = { value: checked.value, answer: undefined, veto: undefined, changes: [], failures: [] }
  const all = (table.handlers ??= handlersOf(core, table))
  const handlers = request.only === undefined ? all : all.filter(({ plugin }) => plugin.id === request.only)
  if (request.trace === undefined) {
    await runAll(core, { handlers, route, table, request, trace: undefined }, outcome)
    return outcome
  }
  const trace = new HookTrace(handlers, request.trace === true ? undefined : request.trace)
  try {
    await runAll(core, { handlers, route, table, request, trace }, outcome)
  } finally {
    outcome.steps = trace.close()
  }
  return outcome
}

interface Emitting {
  readonly handlers: readonly Binding[]
  readonly route: Route
  readonly table: PointTable
  readonly request: CallRequest
  readonly trace: HookTrace | undefined
}

async function runAll(core: Core, emitting: Emitting, outcome: Outcome): Promise<void> {
  const { handlers, table, trace } = emitting
  const run = (handler: Binding): Promise<unknown> => runHook(core, handler, emitting, outcome)
  switch ((table.point as HookPoint).strategy) {
    case 'all':
      await Promise.all(handlers.map(run))
      break
    case 'pipe':
      for (const handler of handlers) {
        const answer = await run(handler)
        if (answer === undefined || isDeepStrictEqual(answer, outcome.value)) {
          trace?.end(handler, { outcome: 'unchanged' })
          continue
        }
        outcome.value = answer
        outcome.changes.push({ plugin: handler.plugin.id, name: handler.name })
        trace?.end(handler, { outcome: 'changed', value: answer })
      }
      break
    case 'first':
      for (const handler of handlers) {
        outcome.answer = await run(handler)
        if (outcome.answer === undefined) continue
        trace?.end(handler, { outcome: 'answered', value: outcome.answer })
        break
      }
      break
    case 'veto':
      for (const handler of handlers) {
        const refusal = (await run(handler)) as { readonly veto: string } | undefined
        if (refusal === undefined) continue
        outcome.veto = { plugin: handler.plugin.id, name: handler.name, reason: refusal.veto }
        trace?.end(handler, { outcome: 'vetoed', value: refusal.veto })
        break
      }
      break
  }
}

/** The one place a handler is run; it names the culprit. A failure is skipped only where the hook and the plugin allow it. */
async function runHook(core: Core, handler: Binding, emitting: Emitting, outcome: Outcome): Promise<unknown> {
  const { route, table, request, trace } = emitting
  const { plugin, name } = handler
  // its plugin may have been replaced by a version without it since the emit began
  if (plugin.usable && !table.bindings.has(table.key(plugin.id, name))) {
    trace?.end(handler, { outcome: 'skipped' })
    return undefined
  }
  trace?.begin(handler)
  const target = { point: table.point.id, name, method: 'handle' }
  try {
    const answer = await core.dispatcher.call(laneOf(core, handler), { route, target, value: outcome.value }, request)
    if (answer === undefined) trace?.end(handler, { outcome: 'unchanged' })
    return answer
  } catch (thrown) {
    const error = thrown as PlatformError
    trace?.fail(handler, error, notTaken.has(error.code))
    if (request.signal?.aborted === true) throw error
    const neverRan = error.code === 'PLUGIN_UNAVAILABLE'
    if (core.criticalityOf(plugin.candidate) === 'fail-closed')
      throw notTaken.has(error.code) ? failClosed(table.point.id, handler, error) : error
    const mayFail = (table.point.kind === 'hook' && table.point.onError === 'skip') || neverRan
    if (!mayFail) throw error
    outcome.failures.push({ plugin: plugin.id, name, code: error.code, message: error.message })
    return undefined
  }
}

/** Refusals of a handler that was not even asked. */
const notTaken: ReadonlySet<string> = new Set(['PLUGIN_UNAVAILABLE', 'CALL_BREAKER_OPEN', 'CALL_QUEUE_FULL', 'NAMESPACE_LIMIT'])

/** While a guard is down, what it guards is refused. */
function failClosed(point: string, { plugin, name }: Binding, cause: PlatformError): PlatformError {
  const parameters = { plugin: plugin.id, point, name, reason: cause.message }
  return kernelErrors.error('PLUGIN_FAIL_CLOSED', parameters, {
    plugin: plugin.id,
    point,
    cause,
    details: { name, code: cause.code },
  })
}

function laneOf(core: Core, { plugin }: Binding): Lane {
  return {
    plugin: () => plugin,
    generation: () => {
      if (!plugin.usable) throw unavailable(plugin)
      return plugin.serving ?? core.activate(plugin)
    },
  }
}

/** Frozen until something changes. Cycles were refused at resolve, so what is left can be ordered. */
function handlersOf(core: Core, table: PointTable): readonly Binding[] {
  const handlers = core.points.handlers(table, ({ candidate }) => core.criticalityOf(candidate) === 'fail-closed')
  const sequence = orderHandlers(handlers as readonly (Binding & Ordered)[])
  return Object.freeze(sequence.ok ? sequence.handlers : handlers)
}

import type { HookPoint, HookStrategy, Point, ProviderPoint, SchemaResult } from '@backplane/sdk'
import { kernelErrors } from '../errors.ts'
import type { Plugin } from '../plugins/plugin.ts'
import { type Validate, validatorOf } from '../calls/validation.ts'

/** One way to call into a plugin, with everything about it that does not change from call to call. */
export interface Route {
  readonly point: string
  readonly method: string
  /** `point.method`, for messages. */
  readonly label: string
  readonly kind: 'unary' | 'stream'
  readonly optional: boolean
  readonly input: Validate
  readonly output: Validate
  readonly timeoutMs: number | undefined
  /** What a plugin must have been granted to call it. */
  readonly permission: string | undefined
  /** What a plugin must have been granted to fill the point. */
  readonly fills: string | undefined
  /** Says what a person is asked before a plugin's call goes through. */
  readonly approval: ((input: unknown) => unknown) | undefined
}

/** What one plugin has declared for a point and may be reached through. */
export interface Binding {
  readonly plugin: Plugin
  readonly name: string
  readonly metadata: Readonly<Record<string, unknown>>
}

/** Names a client must not have: an object with them is taken for something it is not. */
const reserved = new Set(['then', 'has', 'close', 'open', 'constructor', '__proto__', 'toJSON'])

/** One point of the host, prepared for use: schemas taken apart once, bindings by key. */
export class PointTable {
  readonly point: Point
  /** A provider's methods; for a hook the one route `handle`. */
  readonly routes: ReadonlyMap<string, Route>
  /** The route of `open`, for a provider that is opened. */
  readonly open: Route | undefined
  /** What a hook is emitted with. */
  readonly emitted: Validate | undefined
  /** What a manifest declares: the point's metadata, or the value itself for a data point. */
  readonly declared: Validate | undefined
  /** By name for providers, by plugin and name for the rest. */
  readonly bindings: Map<string, Binding> = new Map()
  /** Hook handlers in order; rebuilt after a change, at the next emit. */
  handlers: readonly Binding[] | undefined

  constructor(point: Point) {
    const { id } = point
    this.point = point
    this.routes = routesOf(point)
    this.open =
      point.kind === 'provider' && point.open !== undefined
        ? route(point, 'open', { input: validatorOf(point.open, id, 'open'), output: asIs })
        : undefined
    this.emitted = point.kind === 'hook' ? validatorOf(point.value, id, 'value') : undefined
    const declared = point.kind === 'data' ? point.value : point.metadata
    this.declared = declared === undefined ? undefined : validatorOf(declared, id, point.kind === 'data' ? 'value' : 'metadata')
  }

  /** Providers are one per name, so their key is the name; handlers and values of different plugins may share one. */
  key(plugin: string, name: string): string {
    return this.point.kind === 'provider' ? name : `${plugin} ${name}`
  }
}

function routesOf(point: Point): ReadonlyMap<string, Route> {
  switch (point.kind) {
    case 'provider':
      return new Map(Object.keys(point.methods).map((method) => [method, methodRoute(point, method)]))
    case 'hook':
      return new Map([['handle', route(point, 'handle', { input: asIs, output: answerOf(point), timeoutMs: point.timeoutMs })]])
    case 'data':
      return new Map()
  }
}

function methodRoute(point: ProviderPoint, method: string): Route {
  const spec = point.methods[method]
  if (spec === undefined || reserved.has(method)) {
    throw kernelErrors.error('POINT_INVALID', { point: point.id, problem: `may not have a method called ${method}` })
  }
  return route(point, method, {
    kind: spec.kind,
    optional: spec.optional,
    input: validatorOf(spec.input, point.id, `${method} input`),
    output: validatorOf(spec.output, point.id, `${method} output`),
    timeoutMs: spec.timeoutMs,
    permission: spec.permission,
    approval: spec.approval,
  })
}

function route({ id, permission }: Point, method: string, parts: Partial<Route> & Pick<Route, 'input' | 'output'>): Route {
  return Object.freeze({
    kind: 'unary',
    optional: false,
    timeoutMs: undefined,
    permission: undefined,
    approval: undefined,
    ...parts,
    fills: permission,
    point: id,
    method,
    label: `${id}.${method}`,
  })
}

const asIs: Validate = (value) => ({ value })

/** What a handler may answer under each strategy; `undefined` always stands for "nothing to say". */
function answerOf(point: HookPoint): Validate {
  const validators: Readonly<Record<HookStrategy, () => Validate>> = {
    all: () => () => ({ value: undefined }),
    pipe: () => validatorOf(point.value, point.id, 'value'),
    first: () => validatorOf(point.answer, point.id, 'answer'),
    veto: () => vetoAnswer,
  }
  const validate = validators[point.strategy]()
  return (value) => (value === undefined ? { value } : validate(value))
}

function vetoAnswer(value: unknown): SchemaResult<unknown> {
  if (value === null) return { value: undefined }
  const reason: unknown = typeof value === 'object' ? Reflect.get(value, 'veto') : undefined
  return typeof reason === 'string'
    ? { value: { veto: reason } }
    : { issues: [{ message: 'must be nothing or { veto: reason }' }] }
}

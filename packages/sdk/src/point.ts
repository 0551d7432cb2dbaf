import type { Call, CallOptions } from './call.ts'
import { anything, type InputOf, type OutputOf, type Schema } from './standard-schema.ts'

// oxlint-disable-next-line typescript/no-explicit-any -- a point of any type is a Point; `unknown` would fail on inputs
type Varies = any
type AnySchema = Schema<Varies, Varies>

/**
 * A point is a typed, versioned place that a host declares and plugins fill. It is a value: host and plugin import the
 * same constant. Across a process boundary only `id` and method names travel, so two copies of a point are the same.
 */
export type Point = HookPoint | ProviderPoint | DataPoint

/**
 * How a hook's handlers make one answer:
 * `all` every handler runs in parallel and results are ignored · `pipe` the value flows through each handler in order ·
 * `first` the first handler that answers something other than undefined wins · `veto` every handler may refuse by
 * answering `{ veto: reason }`; the first refusal in order is the answer.
 */
export type HookStrategy = 'all' | 'pipe' | 'first' | 'veto'

/** When a plugin that fills the point is started: at its first use (`lazy`, default) or with the host (`eager`). */
export type PointActivation = 'lazy' | 'eager'

interface PointCommon {
  /** `host.kebab-name`. */
  readonly id: string
  /** What the point is for, one sentence; shown in reference documentation. */
  readonly title?: string
  /** Validates what the manifest declares under `contributes[id][name]`. */
  readonly metadata?: Schema
  readonly activation?: PointActivation
  /** What a plugin must ask for and be granted to fill the point: `vm:edit`. One that fills it without asking is refused. */
  readonly permission?: string
}

/** A place where handlers are called. `Value` is what the host emits, `Answer` what a handler may return. */
export interface HookPoint<Value = Varies, Answer = Varies> extends PointCommon {
  readonly kind: 'hook'
  readonly strategy: HookStrategy
  readonly value: Schema<Value, Value>
  readonly answer: Schema<Answer, Answer>
  /** Longest one handler may take, ms. */
  readonly timeoutMs?: number
  /** What a failing handler does to the emit: `skip` it and go on (recorded), or `fail` the emit. Default `fail`; `all` defaults to `skip`. */
  readonly onError?: 'skip' | 'fail'
  /** Who may emit it beside the host: nobody (`host`, default), or any plugin through `scope.emit`. */
  readonly emitters?: 'host' | 'plugins'
}

/** One method of a provider. `unary` answers once; `stream` answers with an async iterable. */
export interface Method<
  I extends Schema = AnySchema,
  O extends Schema = AnySchema,
  Kind extends 'unary' | 'stream' = 'unary' | 'stream',
> {
  readonly kind: Kind
  /** The caller gives its input type; the plugin receives its output type, with defaults filled in. */
  readonly input: I
  /** The plugin gives its input type; the caller receives its output type. For a stream: the schema of each item. */
  readonly output: O
  /** A plugin may leave it out; callers ask `client.has(name)`. */
  readonly optional: boolean
  /** Longest one call may take, ms (for a stream: until it ends). Undefined: the kernel's default. */
  readonly timeoutMs: number | undefined
  /** What a plugin must be granted to call it: `vfio:bind`. The host itself always may. */
  readonly permission: string | undefined
  /** Set on a critical operation: what a person is asked before a plugin's call goes through. See {@link MethodOptions}. */
  readonly approval: ((input: Varies) => string) | undefined
}

/** The methods of a provider by name. */
export type Methods = Readonly<Record<string, Method>>

/** A place for named implementations. With `open`, an implementation is opened many times, each instance separate. */
export interface ProviderPoint<
  M extends Methods = Methods,
  Open extends Schema | undefined = AnySchema | undefined,
> extends PointCommon {
  readonly kind: 'provider'
  readonly methods: M
  readonly open: Open
}

/** A place for values, validated by a schema: command metadata, UI panels, resource schemas. */
export interface DataPoint<Value = Varies> extends PointCommon {
  readonly kind: 'data'
  readonly value: Schema<unknown, Value>
}

/** Limits of one method, and what calling it takes. */
export interface MethodOptions<Input = Varies> {
  readonly timeoutMs?: number
  /** What a plugin must be granted to call it; the host itself always may. */
  readonly permission?: string
  /**
   * Makes it a critical operation: a plugin's call waits until a person has approved it. Answers what is asked, to be read
   * after "It wants to": `bind 0000:01:00.0 to vfio-pci`. Given the input as the schema left it; runs in the
   * host. Quote what is free text in it: these are the plugin's words, not yours. What cannot be said is refused.
   */
  readonly approval?: (input: Input) => string
}

/** Says that a plugin may leave a method out. */
export function optional<T extends Method>(method: T): T & { readonly optional: true } {
  return { ...method, optional: true }
}

/** A method that answers once. */
export function unary<I extends Schema, O extends Schema>(
  input: I,
  output: O,
  options: MethodOptions<OutputOf<I>> = {},
): Method<I, O, 'unary'> {
  return { kind: 'unary', input, output, optional: false, ...termsOf(options) }
}

/**
 * A method that answers with many items. Items are delivered in order; the producer is held back when the consumer does
 * not read. An item may carry bytes as itself or as one of its direct members (`Uint8Array`); they travel uncopied where
 * the channel allows, so the producer must not touch them afterwards.
 */
export function stream<I extends Schema, O extends Schema>(
  input: I,
  item: O,
  options: MethodOptions<OutputOf<I>> = {},
): Method<I, O, 'stream'> {
  return { kind: 'stream', input, output: item, optional: false, ...termsOf(options) }
}

function termsOf({ timeoutMs, permission, approval }: MethodOptions): Pick<Method, 'timeoutMs' | 'permission' | 'approval'> {
  return { timeoutMs, permission, approval }
}

/** Options of {@link defineHook}. */
export interface HookOptions<V extends Schema, A extends Schema> extends Omit<PointCommon, 'id'> {
  readonly strategy: HookStrategy
  readonly value: V
  /** Only for `first`: what a handler may answer. A `pipe` answers with the value, a `veto` with a reason. */
  readonly answer?: A
  readonly timeoutMs?: number
  readonly onError?: 'skip' | 'fail'
  readonly emitters?: 'host' | 'plugins'
}

/** Declares a hook. */
export function defineHook<V extends Schema, A extends Schema = Schema>(
  id: string,
  options: HookOptions<V, A>,
): HookPoint<OutputOf<V>, OutputOf<A>> {
  const { value, answer, ...rest } = options
  return {
    ...rest,
    kind: 'hook',
    id,
    value: value,
    answer: answer ?? anything,
    onError: options.onError ?? (options.strategy === 'all' ? 'skip' : 'fail'),
  }
}

/** Options of {@link defineProvider}. */
export interface ProviderOptions<Open extends Schema | undefined> extends Omit<PointCommon, 'id'> {
  /** The options an instance is opened with. Absent: the implementation is used directly. */
  readonly open?: Open
}

/** Declares a place for named implementations with the given methods. */
export function defineProvider<const M extends Methods, Open extends Schema | undefined = undefined>(
  id: string,
  methods: M,
  options: ProviderOptions<Open> = {},
): ProviderPoint<M, Open> {
  const { open, ...rest } = options
  return { ...rest, kind: 'provider', id, methods, open: open as Open }
}

/** Declares a place for values. */
export function defineData<V extends Schema>(
  id: string,
  value: V,
  options: Omit<PointCommon, 'id'> = {},
): DataPoint<OutputOf<V>> {
  return { ...options, kind: 'data', id, value: value }
}

/** What a `veto` handler answers: nothing to agree, or the reason to refuse. */
export type VetoAnswer = { readonly veto: string } | undefined

/** One handler of a hook. May answer a value or a promise of it. */
export type HookHandler<P extends HookPoint> =
  P extends HookPoint<infer V, infer A>
    ? (value: V, call: Call) => HandlerAnswer<P, V, A> | Promise<HandlerAnswer<P, V, A>>
    : never

// One hook type serves four strategies, so a handler's answer is the union; the dispatcher checks it by strategy.
type HandlerAnswer<_P, V, A> = V | A | VetoAnswer | undefined | void

/** What a plugin supplies for a provider without `open`, and what `open` must answer for one with it. */
export type Implementation<P extends ProviderPoint> =
  P extends ProviderPoint<infer M>
    ? { readonly [K in RequiredNames<M>]: Implemented<M[K]> } & { readonly [K in OptionalNames<M>]?: Implemented<M[K]> }
    : never

type OptionalNames<M extends Methods> = { [K in keyof M]: M[K]['optional'] extends true ? K : never }[keyof M]
type RequiredNames<M extends Methods> = Exclude<keyof M, OptionalNames<M>>
type Implemented<T extends Method> =
  T extends Method<infer I, infer O, infer K>
    ? K extends 'stream'
      ? (value: OutputOf<I>, call: Call) => AsyncIterable<InputOf<O>>
      : (value: OutputOf<I>, call: Call) => InputOf<O> | Promise<InputOf<O>>
    : never

/** An opened instance may free what it holds when the host closes it. */
export type OpenedImplementation<P extends ProviderPoint> = Implementation<P> & { readonly close?: () => void | Promise<void> }

/** What `scope.provide` takes: the methods, or a way to open them with options. */
export type Provided<P extends ProviderPoint> =
  P extends ProviderPoint<Methods, infer O>
    ? [O] extends [Schema]
      ? { readonly open: (options: OutputOf<O>, call: Call) => OpenedImplementation<P> | Promise<OpenedImplementation<P>> }
      : Implementation<P>
    : never

/**
 * How a provider is called. A closed object with exactly the declared methods: it is never a thenable, so returning it
 * from an async function is safe.
 */
export type Client<P extends ProviderPoint> =
  P extends ProviderPoint<infer M>
    ? { readonly [K in keyof M]: Called<M[K]> } & {
        /** Whether the plugin supplies an optional method. */
        readonly has: (method: keyof M & string) => boolean
      }
    : never

type Called<T extends Method> =
  T extends Method<infer I, infer O, infer K>
    ? K extends 'stream'
      ? (value: InputOf<I>, options?: CallOptions) => AsyncIterable<OutputOf<O>>
      : (value: InputOf<I>, options?: CallOptions) => Promise<OutputOf<O>>
    : never

/** A client of one opened instance; dispose it to close the instance. */
export type OpenedClient<P extends ProviderPoint> = Client<P> & AsyncDisposable

/** What one gets for a provider: the client, or for a point with `open` the way to open one. */
export type ProviderHandle<P extends ProviderPoint> =
  P extends ProviderPoint<Methods, infer O>
    ? [O] extends [Schema]
      ? { readonly open: (options: InputOf<O>, callOptions?: CallOptions) => Promise<OpenedClient<P>> }
      : Client<P>
    : never

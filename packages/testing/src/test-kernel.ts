import {
  createKernel,
  type EventLog,
  type Kernel,
  type KernelEvent,
  type KernelLogLine,
  type KernelOptions,
  type Source,
} from '@backplane/kernel'
import { fakeClock, type FakeClock } from './fake-clock.ts'
import { inlineRuntime, type InlineRuntime } from './inline-runtime.ts'
import { type InlinePlugin, inlineSource, type InlineSource } from './inline-source.ts'

/** Options of {@link testKernel}: those of a kernel, and the plugins written in the test. */
export interface TestKernelOptions extends Partial<Omit<KernelOptions, 'clock' | 'log'>> {
  /** Whether the plugins ship with the host. Default `bundled`. */
  readonly origin?: Source['origin']
  readonly plugins?: readonly InlinePlugin[]
  /** Default: one that is made. Give one to share it between two kernels. */
  readonly clock?: FakeClock
}

/** A kernel with everything around it that a test needs to look at or to move. */
export interface TestKernel extends AsyncDisposable {
  readonly kernel: Kernel
  readonly clock: FakeClock
  readonly source: InlineSource
  readonly runtime: InlineRuntime
  readonly lines: readonly KernelLogLine[]
  /** Events so far, without number and time. */
  readonly events: () => readonly KernelEvent[]
  /** Waits for an event, also for one that is already there. */
  readonly event: <T extends KernelEvent['type']>(type: T, matches?: (event: EventOf<T>) => boolean) => Promise<EventOf<T>>
}

/**
 * A kernel over plugins written in the test: modules in memory, run in this process, everything else as in production.
 * Time stands still until the test moves it; nothing is kept unless a store is given, and a replaced generation is not kept
 * warm unless `times.probationMs` is.
 */
export async function testKernel(options: TestKernelOptions = {}): Promise<TestKernel> {
  const { plugins = [], origin = 'bundled', clock = fakeClock(), ...rest } = options
  const source = inlineSource(plugins, { origin })
  const runtime = inlineRuntime()
  const lines: KernelLogLine[] = []
  const kernel = await createKernel({
    host: { name: 'test-host', api: '1.0.0' },
    points: [],
    sources: [source],
    runtimes: [runtime],
    watch: false,
    ...rest,
    times: { probationMs: 0, ...rest.times },
    clock,
    log: { write: (line) => void lines.push(line) },
  })
  return {
    kernel,
    clock,
    source,
    runtime,
    lines,
    events: () => kernel.events.since(0).events.map(({ event }) => event),
    event: (type, matches = () => true) => waitForEvent(kernel.events, type, matches),
    [Symbol.asyncDispose]: () => kernel[Symbol.asyncDispose](),
  }
}

/** The events of one type. */
export type EventOf<T extends KernelEvent['type']> = Extract<KernelEvent, { readonly type: T }>

function waitForEvent<T extends KernelEvent['type']>(
  events: EventLog,
  type: T,
  matches: (event: EventOf<T>) => boolean,
): Promise<EventOf<T>> {
  return new Promise((resolve) => {
    const fits = (event: KernelEvent): event is EventOf<T> => event.type === type && matches(event as EventOf<T>)
    const known = events
      .since(0)
      .events.map(({ event }) => event)
      .find(fits)
    if (known !== undefined) return resolve(known)
    const subscription = events.subscribe(({ event }) => {
      if (!fits(event)) return
      subscription[Symbol.dispose]()
      resolve(event)
    })
  })
}

import type { PlatformError } from '@backplane/sdk'
import type { HookStep } from '../hook-outcome.ts'
import type { Binding } from './point-table.ts'

type StepEnd = Pick<HookStep, 'outcome' | 'value' | 'code' | 'message'>

/** Writes down what each handler of one emit did. Made only where that is wanted. */
export class HookTrace {
  readonly #handlers: readonly Binding[]
  readonly #listener: ((step: HookStep) => void) | undefined
  readonly #begunMs = new Map<Binding, number>()
  readonly #steps = new Map<Binding, HookStep>()

  constructor(handlers: readonly Binding[], listener: ((step: HookStep) => void) | undefined) {
    this.#handlers = handlers
    this.#listener = listener
  }

  begin(handler: Binding): void {
    this.#begunMs.set(handler, performance.now())
  }

  /** The first word on a handler counts. */
  end(handler: Binding, ended: StepEnd): void {
    if (this.#steps.has(handler)) return
    const nowMs = performance.now()
    const tookMs = nowMs - (this.#begunMs.get(handler) ?? nowMs)
    const kept = ended.value === undefined ? {} : { value: copied(ended.value) }
    const step = { plugin: handler.plugin.id, name: handler.name, tookMs, ...ended, ...kept }
    this.#steps.set(handler, step)
    this.#listener?.(step)
  }

  /** It was not even asked, or failed at it. */
  fail(handler: Binding, { code, message }: PlatformError, isNotAsked: boolean): void {
    // what cancels an emit has no code of ours
    const coded = typeof code === 'string' ? { code } : {}
    this.end(handler, { outcome: isNotAsked ? 'skipped' : 'failed', ...coded, message })
  }

  /** Those whose turn never came are skipped; answers all steps in the order of the handlers. */
  close(): readonly HookStep[] {
    for (const handler of this.#handlers) this.end(handler, { outcome: 'skipped' })
    return this.#handlers.flatMap((handler) => this.#steps.get(handler) ?? [])
  }
}

/** In the host's own process a later handler may change the very object. */
function copied(value: unknown): unknown {
  try {
    return structuredClone(value)
  } catch {
    return value
  }
}

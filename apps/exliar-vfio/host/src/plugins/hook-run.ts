import type { HookStep, Kernel } from '@backplane/kernel'
import { PlatformError, type HookPoint } from '@backplane/sdk'
import { exliarErrors } from '../errors.ts'

/** One run of a hook, as it is kept and shown. */
export interface HookRun {
  /** Without the host's name before it: `pre-vfio-bind`. */
  readonly hook: string
  /** RFC 3339. */
  readonly at: string
  /** What it was about: an address, a machine's name; null for the whole machine. */
  readonly subject: string | null
  /** What the handlers were given. */
  readonly value: unknown
  readonly steps: readonly HookStep[]
  /** Who stopped the step, and why; null when nobody did. */
  readonly refused: { readonly plugin: string; readonly reason: string } | null
}

/** `exliar.pre-vfio-bind` → `pre-vfio-bind`. */
export function hookName({ id }: Pick<HookPoint, 'id'>): string {
  return id.slice(id.indexOf('.') + 1)
}

/** What {@link Hooks} is made of. */
export interface HooksParts {
  readonly kernel: Pick<Kernel, 'emit'>
  /** Told of every run when it has ended, also of one that stopped the step. */
  readonly record: (run: HookRun) => void
  readonly now?: () => Date
}

/**
 * Runs hooks and keeps what came of each. A handler that fails in what is only told is named in the run and passed over; in
 * what is asked it stops the step. Source: seed 004, `invoke_hook` and `invoke_hook_mut`.
 */
export class Hooks {
  readonly #kernel: Pick<Kernel, 'emit'>
  readonly #record: (run: HookRun) => void
  readonly #now: () => Date
  /** Those that run now, each as often as it does; almost always one. */
  #running: readonly HookPoint[] = []

  constructor({ kernel, record, now = () => new Date() }: HooksParts) {
    this.#kernel = kernel
    this.#record = record
    this.#now = now
  }

  /** The hooks that run now. */
  get running(): readonly HookPoint[] {
    return this.#running
  }

  /**
   * Answers the value as the handlers left it, and what each did. Errors: `HOOK_REFUSED` with plugin and reason,
   * `HOOK_FAILED` with the plugin whose handler failed.
   */
  async run<V>(
    point: HookPoint<V>,
    value: V,
    subject: string | null,
    signal?: AbortSignal,
  ): Promise<{ readonly value: V; readonly steps: readonly HookStep[] }> {
    const hook = hookName(point)
    const steps: HookStep[] = []
    const ended = (refused: HookRun['refused']): void =>
      this.#record({ hook, at: at.toISOString(), subject, value, steps, refused })
    const at = this.#now()
    const trace = (step: HookStep): void => void steps.push(step)
    const running = point as HookPoint
    this.#running = [...this.#running, running]
    const emitted = this.#kernel.emit(point, value, { trace, signal }).finally(() => {
      this.#running = this.#running.toSpliced(this.#running.indexOf(running), 1)
    })
    const outcome = await emitted.catch((error: unknown) => {
      if (signal?.aborted === true) throw error
      const { plugin, reason } = culpritOf(error, steps)
      ended({ plugin, reason })
      throw exliarErrors.error('HOOK_FAILED', { hook, plugin, reason }, { plugin, cause: error })
    })
    const { veto } = outcome
    ended(veto === undefined ? null : { plugin: veto.plugin, reason: veto.reason })
    if (veto === undefined) return { value: outcome.value, steps }
    const { plugin, reason } = veto
    throw exliarErrors.error('HOOK_REFUSED', { hook, plugin, reason }, { plugin })
  }
}

function culpritOf(error: unknown, steps: readonly HookStep[]): { readonly plugin: string; readonly reason: string } {
  const failed = steps.findLast(({ outcome }) => outcome === 'failed')
  const named = error instanceof PlatformError ? error.plugin : undefined
  return { plugin: named ?? failed?.plugin ?? 'exliar', reason: error instanceof Error ? error.message : String(error) }
}

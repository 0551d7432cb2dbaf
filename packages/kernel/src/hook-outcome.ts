import type { CallOptions } from '@backplane/sdk'

/** What a host may say about one emit. */
export interface EmitOptions extends CallOptions {
  /**
   * Writes down what each handler did: `true` in {@link HookOutcome.steps}; a function is told of each step as it ends, also
   * where the emit fails and has no outcome. It must not throw.
   */
  readonly trace?: true | ((step: HookStep) => void) | undefined
  /** Asks the handlers of this plugin alone, by its id: for what concerns nobody else. Default: all. */
  readonly only?: string | undefined
}

/** What one handler did with one emit. */
export interface HookStep {
  readonly plugin: string
  readonly name: string
  /** How long it was waited for; 0 for one whose turn never came. */
  readonly tookMs: number
  /** `skipped`: not asked, because it takes no calls now, is gone, or the emit was over before. */
  readonly outcome: 'unchanged' | 'changed' | 'vetoed' | 'answered' | 'failed' | 'skipped'
  /** After a change the value as it left it; its answer; of a veto the reason. A copy. */
  readonly value?: unknown
  /** Why it failed, or was not asked. */
  readonly code?: string
  readonly message?: string
}

/** What emitting came to. `changes` (pipe) attributes each change to the handler that made it. */
export interface HookOutcome<V, A> {
  readonly value: V
  /** For `first`. */
  readonly answer: A | undefined
  /** For `veto`. */
  readonly veto: { readonly plugin: string; readonly name: string; readonly reason: string } | undefined
  readonly changes: readonly { readonly plugin: string; readonly name: string }[]
  /** Handlers that failed and were skipped. */
  readonly failures: readonly {
    readonly plugin: string
    readonly name: string
    readonly code: string
    readonly message: string
  }[]
  /** Every handler in order; only where the emit was traced. */
  readonly steps?: readonly HookStep[]
}

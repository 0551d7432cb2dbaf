import type { Runtime } from '@backplane/kernel'

/** A runtime that can do ahead what a start would have to wait for. */
export interface PooledRuntime extends Runtime {
  /** Settles when the pool is as full as it should be. It fills by itself; wait where a first start must be fast. */
  readonly warm: () => Promise<void>
}

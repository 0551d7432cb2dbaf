import { monitorEventLoopDelay } from 'node:perf_hooks'
import type { Usage } from '@backplane/kernel'
import type { Scope } from '@backplane/sdk'
import { runtimeErrors } from '../errors.ts'

/** The part of a scope with which a plugin says how it is, and hands itself over. */
export type LifeScope = Pick<Scope, 'health' | 'snapshot' | 'restore'>

/** How often the event loop is looked at, ms; a stall shorter than this may go unseen. */
const stallResolutionMs = 20

/** What a plugin registered about its own life, and what the host may ask of it. */
export class GuestLife {
  readonly #plugin: string
  #check: (() => void | Promise<void>) | undefined
  #take: (() => unknown) | undefined
  #put: ((value: unknown) => void | Promise<void>) | undefined
  #open = true
  #delays: ReturnType<typeof monitorEventLoopDelay> | undefined

  constructor(plugin: string) {
    this.#plugin = plugin
  }

  /** What the plugin's scope is given of it. */
  readonly scope: LifeScope = {
    health: (check) => {
      this.#register('scope.health', this.#check)
      this.#check = check
    },
    snapshot: (take) => {
      this.#register('scope.snapshot', this.#take)
      this.#take = take
    },
    restore: (put) => {
      this.#register('scope.restore', this.#put)
      this.#put = put
    },
  }

  /** Refuses registrations from now on. */
  close(): void {
    this.#open = false
  }

  async health(): Promise<void> {
    await this.#check?.()
  }

  /** JSON, or undefined when the plugin hands over nothing. */
  async snapshot(): Promise<unknown> {
    return await this.#take?.()
  }

  async restore(value: unknown): Promise<void> {
    await this.#put?.(value)
  }

  /** Told by the plugin's own side, so a hostile one may lie; the host measures from outside what it can. */
  usage(): Usage {
    const { user, system } = process.threadCpuUsage()
    return {
      cpuMs: (user + system) / 1_000,
      memoryBytes: undefined,
      heapBytes: process.memoryUsage().heapUsed,
      processes: undefined,
      openFiles: undefined,
      stallMs: this.#stall(),
    }
  }

  #stall(): number {
    if (this.#delays === undefined) {
      this.#delays = monitorEventLoopDelay({ resolution: stallResolutionMs })
      this.#delays.enable()
      return 0
    }
    const { max } = this.#delays
    this.#delays.reset()
    return Math.max(0, max / 1e6 - stallResolutionMs)
  }

  #register(name: string, before: unknown): void {
    const plugin = this.#plugin
    if (!this.#open) throw runtimeErrors.error('SCOPE_SETUP_OVER', { plugin, point: 'the scope', name }, { plugin })
    if (before !== undefined)
      throw runtimeErrors.error('POINT_REGISTERED_TWICE', { plugin, point: 'the scope', name }, { plugin })
  }
}

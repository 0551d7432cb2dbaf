import { kernelErrors } from '../errors.ts'
import type { Store } from '../ports.ts'

/** What is written down of a {@link StateSlot}. */
export interface SlotName {
  readonly stateVersion: number
  /** Empty for the first one. */
  readonly name: string
}

/**
 * Everything one plugin stored in the form of one `stateVersion`: a namespace of the store and a data directory. Whoever
 * writes to the store writes through it, so that a copy can be taken while nobody writes.
 */
export class StateSlot implements SlotName {
  readonly plugin: string
  readonly stateVersion: number
  readonly name: string
  /** Generations that were started on it and have not ended. */
  users = 0
  /** Told when the last user has ended. */
  unused: (() => void) | undefined
  #gate: PromiseWithResolvers<void> | undefined
  #isReplaced = false
  readonly #writing = new Set<Promise<unknown>>()

  constructor(plugin: string, { stateVersion, name }: SlotName) {
    this.plugin = plugin
    this.stateVersion = stateVersion
    this.name = name
  }

  get namespace(): string {
    return this.name === '' ? `plugin/${this.plugin}` : `plugin/${this.plugin}#${this.name}`
  }

  /** Runs a write when writes are let in. Errors: `STATE_REPLACED` when another slot took this one's place. */
  async write(run: () => Promise<void>): Promise<void> {
    while (this.#gate !== undefined) await this.#gate.promise
    if (this.#isReplaced) {
      const { plugin, stateVersion } = this
      throw kernelErrors.error('STATE_REPLACED', { plugin, stateVersion }, { plugin })
    }
    const writing = run()
    this.#writing.add(writing)
    try {
      await writing
    } finally {
      this.#writing.delete(writing)
    }
  }

  /** Lets writes wait from now on; settles when none is under way. */
  async pause(): Promise<void> {
    this.#gate ??= Promise.withResolvers()
    await Promise.allSettled(this.#writing)
  }

  /** Lets go of what {@link pause} holds; whether it is written follows from the slot's place meanwhile. */
  resume(): void {
    this.#gate?.resolve()
    this.#gate = undefined
  }

  /** Refuses writes from now on: another slot took its place. */
  replace(): void {
    this.#isReplaced = true
    this.resume()
  }

  /** Lets writes in again. */
  restore(): void {
    this.#isReplaced = false
    this.resume()
  }

  release(): void {
    this.users -= 1
    if (this.users === 0) this.unused?.()
  }
}

/** Copies a namespace of a store, some keys at a time. */
export async function copyNamespace(store: Store, from: string, to: string): Promise<void> {
  const keys = await store.keys(from, '')
  for (let at = 0; at < keys.length; at += keysAtOnce) {
    await Promise.all(keys.slice(at, at + keysAtOnce).map((key) => copyKey(store, key, { from, to })))
  }
}

const keysAtOnce = 256

async function copyKey(store: Store, key: string, { from, to }: { readonly from: string; readonly to: string }): Promise<void> {
  const value = await store.get(from, key)
  if (value !== undefined) await store.set(to, key, value)
}

import { messageOf } from '../calls/thrown.ts'
import { type Form, hasForm, kernelNamespace as namespace } from './kept-entries.ts'
import type { Clock, Log, Store } from '../ports.ts'
import type { HistoryEntry } from '../record.ts'

const entryForm: Form = { version: 'string', stateVersion: 'number', fromMs: 'number', outcome: 'string' }
const prefix = 'history/'

/** Entries kept of each plugin. */
export const historyEntries = 20

/** What is written down of one version. */
export type Version = Pick<HistoryEntry, 'version' | 'digest' | 'stateVersion'>

/** How the version that served before came to its end. */
export interface Ending {
  readonly outcome: 'replaced' | 'moved back' | 'rolled back'
  readonly reason?: string
}

/**
 * Which versions of each plugin served, from when to when, and what became of them; kept in the store. Entries are written
 * one after the other in the background: what is lost with a killed host is the newest line, never an older one.
 */
export class History {
  readonly #store: Store
  readonly #clock: Clock
  readonly #log: Log
  /** Newest first; of plugins something was asked or written of. */
  readonly #entries = new Map<string, Promise<readonly HistoryEntry[]>>()

  constructor(store: Store, clock: Clock, log: Log) {
    this.#store = store
    this.#clock = clock
    this.#log = log
  }

  /** Newest first. */
  list(plugin: string): Promise<readonly HistoryEntry[]> {
    let entries = this.#entries.get(plugin)
    if (entries === undefined) {
      entries = this.#load(plugin)
      this.#entries.set(plugin, entries)
    }
    return entries
  }

  /** A version serves from now on; the one that served before ended so. */
  serves(plugin: string, version: Version, ending: Ending = { outcome: 'replaced' }): Promise<void> {
    return this.#change(plugin, (entries, nowMs) => {
      const current = entries.find(({ outcome }) => outcome === 'serving')
      if (current !== undefined && isSame(current, version)) return entries
      const closed = entries.map((entry) => (entry.outcome === 'serving' ? { ...entry, ...ending, toMs: nowMs } : entry))
      return [{ ...version, fromMs: nowMs, outcome: 'serving' }, ...closed]
    })
  }

  /** A version was tried and never served. */
  failed(plugin: string, version: Version, reason: string): Promise<void> {
    return this.#change(plugin, (entries, nowMs) => {
      const { outcome, ...last } = entries[0] ?? { outcome: 'serving' }
      const isRepeated = outcome === 'failed' && 'version' in last && isSame(last, version)
      return [{ ...version, fromMs: nowMs, toMs: nowMs, outcome: 'failed', reason }, ...entries.slice(isRepeated ? 1 : 0)]
    })
  }

  async forget(plugin: string): Promise<void> {
    await this.#entries.get(plugin)
    this.#entries.delete(plugin)
    await this.#store.delete(namespace, prefix + plugin)
  }

  /** Settles once everything is written. */
  async settled(): Promise<void> {
    await Promise.all(this.#entries.values())
  }

  async #change(
    plugin: string,
    change: (entries: readonly HistoryEntry[], nowMs: number) => readonly HistoryEntry[],
  ): Promise<void> {
    const nowMs = this.#clock.now()
    const changed = this.list(plugin).then(async (entries) => {
      const next = change(entries, nowMs)
      if (next === entries) return entries
      const kept = next.slice(0, historyEntries)
      await this.#save(plugin, kept)
      return kept
    })
    this.#entries.set(plugin, changed)
    await changed
  }

  async #load(plugin: string): Promise<readonly HistoryEntry[]> {
    try {
      const text = await this.#store.get(namespace, prefix + plugin)
      const entries: unknown = text === undefined ? [] : JSON.parse(text)
      if (!Array.isArray(entries)) throw new TypeError('it is not a list')
      return entries.filter((entry): entry is HistoryEntry => hasForm(entry, entryForm))
    } catch (error) {
      this.#failed(plugin, 'read', error)
      return []
    }
  }

  async #save(plugin: string, entries: readonly HistoryEntry[]): Promise<void> {
    try {
      await this.#store.set(namespace, prefix + plugin, JSON.stringify(entries))
    } catch (error) {
      this.#failed(plugin, 'written', error)
    }
  }

  #failed(plugin: string, what: string, error: unknown): void {
    this.#log.write({ level: 'error', message: `its history cannot be ${what}: ${messageOf(error)}`, plugin })
  }
}

function isSame(one: Version, other: Version): boolean {
  return one.digest === other.digest && one.version === other.version
}

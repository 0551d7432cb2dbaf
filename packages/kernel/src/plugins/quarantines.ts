import { failureForm, type Form, kernelNamespace as namespace, readKept } from './kept-entries.ts'
import type { Candidate } from './plugin.ts'
import type { Log, Store } from '../ports.ts'
import type { Failure } from '../record.ts'

const prefix = 'quarantined/'
const startingPrefix = 'starting/'

/** Why a package takes no calls until it is released by hand, or another one is in its place. */
export interface Quarantine {
  readonly version: string
  readonly fingerprint: string
  readonly atMs: number
  readonly failure: Failure
}

const suspectForm: Form = { id: 'string', version: 'string', fingerprint: 'string', atMs: 'number' }
const quarantineForm: Form = { version: 'string', fingerprint: 'string', atMs: 'number', failure: failureForm }

/** A package that was being started in the host's own process when the host ended. */
export interface Suspect {
  readonly id: string
  readonly version: string
  readonly fingerprint: string
  readonly atMs: number
}

/**
 * Which packages are in quarantine, kept in the store so that it survives restarts; and which are being started in the
 * host's own process, so that after the host's end the next one knows.
 */
export class Quarantines {
  readonly #store: Store
  readonly #log: Log
  readonly #entries = new Map<string, Quarantine>()

  constructor(store: Store, log: Log) {
    this.#store = store
    this.#log = log
  }

  /** Reads what is kept. Answers the suspects: each is told once. */
  async load(): Promise<readonly Suspect[]> {
    const kept = { store: this.#store, log: this.#log }
    for (const [id, entry] of await readKept<Quarantine>(kept, prefix, quarantineForm)) this.#entries.set(id, entry)
    const suspects = await readKept<Suspect>(kept, startingPrefix, suspectForm)
    for (const [id] of suspects) await this.#store.delete(namespace, startingPrefix + id)
    return suspects.map(([, suspect]) => suspect)
  }

  /** Plugins of which a package is in quarantine. */
  ids(): Iterable<string> {
    return this.#entries.keys()
  }

  /** Why this package is in quarantine; undefined when it is not, be it that another one was. */
  of({ id, version, found }: Candidate): Quarantine | undefined {
    const entry = this.#entries.get(id)
    return entry?.version === version && entry.fingerprint === found.fingerprint ? entry : undefined
  }

  /** What is in quarantine of a plugin, be it that another package is in its place. */
  entry(id: string): Quarantine | undefined {
    return this.#entries.get(id)
  }

  /** Until the host ends, or longer: then the promise settles when it is kept. */
  async add(id: string, entry: Quarantine, isKept = true): Promise<void> {
    this.#entries.set(id, entry)
    if (isKept) await this.#store.set(namespace, prefix + id, JSON.stringify(entry))
  }

  /** Answers with what there was. */
  async release(id: string): Promise<Quarantine | undefined> {
    const entry = this.#entries.get(id)
    if (entry === undefined) return undefined
    this.#entries.delete(id)
    await this.#store.delete(namespace, prefix + id)
    return entry
  }

  /** Keeps, while `work` runs, that this package is being started where its end may be the host's. */
  async suspecting<T>({ id, version, found }: Candidate, nowMs: number, work: () => Promise<T>): Promise<T> {
    const mark: Suspect = { id, version, fingerprint: found.fingerprint, atMs: nowMs }
    // a store that cannot be written keeps nobody from starting
    await this.#store.set(namespace, startingPrefix + id, JSON.stringify(mark)).catch(() => undefined)
    try {
      return await work()
    } finally {
      await this.#store.delete(namespace, startingPrefix + id).catch(() => undefined)
    }
  }
}

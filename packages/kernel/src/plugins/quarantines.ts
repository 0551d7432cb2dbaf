import { parseKept } from './parse-kept.ts'
import type { Candidate } from './plugin.ts'
import type { Store } from '../ports.ts'
import type { Failure } from '../record.ts'

const namespace = 'kernel'
const prefix = 'quarantined/'
const startingPrefix = 'starting/'

/** Why a package takes no calls until it is released by hand, or another one is in its place. */
export interface Quarantine {
  readonly version: string
  readonly fingerprint: string
  readonly atMs: number
  readonly failure: Failure
}

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
  readonly #entries = new Map<string, Quarantine>()

  constructor(store: Store) {
    this.#store = store
  }

  /** Reads what is kept. Answers the suspects: each is told once. */
  async load(): Promise<readonly Suspect[]> {
    for (const [id, entry] of await this.#read<Quarantine>(prefix)) this.#entries.set(id, entry)
    const suspects = await this.#read<Suspect>(startingPrefix)
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

  async #read<T>(from: string): Promise<readonly (readonly [id: string, entry: T])[]> {
    const entries: [string, T][] = []
    for (const key of await this.#store.keys(namespace, from)) {
      const text = await this.#store.get(namespace, key)
      const entry = text === undefined ? undefined : parseKept(text)
      if (entry !== undefined) entries.push([key.slice(from.length), entry as T])
    }
    return entries
  }
}

import { isDeepStrictEqual } from 'node:util'
import type { IndexFetcher, IndexReport } from '@backplane/sources/install'
import type { Advisory } from '@backplane/trust'
import type { HostLog } from './host-log.ts'
import type { PluginTrust } from './plugin-trust.ts'

/** What looks after advisories. */
export interface AdvisoryWatchParts {
  /** Undefined where the configuration names none. */
  readonly indexes: Pick<IndexFetcher, 'advisories' | 'keptAdvisories'> | undefined
  readonly trust: Pick<PluginTrust, 'advise' | 'sawIndexes'>
  readonly log: HostLog
}

/**
 * Asks the static indexes what they warn of and has plugins judged by it. What an index said stands until a newer one of it, signed
 * and in time, says otherwise: one that cannot be read takes nothing back, and starts ask nobody. Dispose it to end.
 */
export class AdvisoryWatch implements AsyncDisposable {
  readonly #parts: AdvisoryWatchParts
  readonly #stop = new AbortController()
  #known: readonly Advisory[] = []
  #told = new Map<string, string>()
  #readmit: () => Promise<void> = async () => undefined
  #looking: Promise<void> = Promise.resolve()
  #timer: NodeJS.Timeout | undefined

  constructor(parts: AdvisoryWatchParts) {
    this.#parts = parts
  }

  /** Takes up what the indexes said before; before any plugin starts. */
  async recall(): Promise<void> {
    const report = await this.#parts.indexes?.keptAdvisories()
    if (report !== undefined) this.#take(report)
  }

  /** Looks now and then every so often, ms; `readmit` has what runs judged again, once what they warn of is another. */
  follow(readmit: () => Promise<void>, everyMs: number): void {
    if (this.#parts.indexes === undefined) return
    this.#readmit = readmit
    void this.look()
    this.#timer = setInterval(() => void this.look(), everyMs)
    this.#timer.unref()
  }

  /** Looks now; settles once what runs has been judged again. Never rejects. */
  look(): Promise<void> {
    this.#looking = this.#looking.then(() => this.#look())
    return this.#looking
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer)
    this.#stop.abort()
    await this.#looking
  }

  async #look(): Promise<void> {
    const { indexes, trust, log } = this.#parts
    const { signal } = this.#stop
    if (indexes === undefined || signal.aborted) return
    try {
      const report = await indexes.advisories({ signal })
      await trust.sawIndexes()
      if (this.#take(report)) await this.#readmit()
    } catch (error) {
      if (!signal.aborted) log.error('the indexes could not be asked what they warn of', { error })
    }
  }

  /** Whether it is another than before. */
  #take({ found, problems }: IndexReport<Advisory>): boolean {
    const { trust, log } = this.#parts
    const told = new Map(problems.map(({ index, error }) => [index, error.message]))
    for (const { index, error } of problems) {
      if (this.#told.get(index) !== error.message) log.warn('an index cannot be read; what it warned of stands', { index, error })
    }
    this.#told = told
    if (isDeepStrictEqual(found, this.#known)) return false
    this.#known = found
    log.info('the indexes warn of these', { advisories: found.map(({ id, plugin, versions }) => `${id} ${plugin} ${versions}`) })
    trust.advise(found)
    return true
  }
}

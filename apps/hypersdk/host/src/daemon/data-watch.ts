import { closeSync, openSync, statSync, unlinkSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import type { HostLog } from './host-log.ts'

/** Between looks that nobody asked for, ms. */
const lookMs = 5_000
/** An answer is not older than this, ms: whoever asks often costs no more. */
const freshMs = 500
const probe = Buffer.alloc(4096)

/**
 * Looks whether the data directory is the one the daemon began with and can be written to: removed, replaced by another
 * one, read-only or full, it loses what is done. The log tells once that it is so, and once that it is over.
 */
export class DataWatch implements Disposable {
  readonly #directory: string
  readonly #log: HostLog
  readonly #opened: { readonly ino: number; readonly dev: number }
  readonly #timer: NodeJS.Timeout
  #lookedAtMs = -Infinity
  #problem: string | undefined

  constructor(directory: string, log: HostLog) {
    this.#directory = directory
    this.#log = log
    this.#opened = statSync(directory)
    this.#timer = setInterval(() => this.#look(), lookMs).unref()
  }

  /** With the path and what to do. */
  problems(): readonly string[] {
    return this.#current() === undefined ? [] : [`the data directory ${this.#directory} ${this.#current()}`]
  }

  /** For whoever asks without a token: no path. */
  reasons(): readonly string[] {
    return this.#current() === undefined ? [] : ['the data directory cannot be used']
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer)
  }

  #current(): string | undefined {
    if (performance.now() - this.#lookedAtMs > freshMs) this.#look()
    return this.#problem
  }

  #look(): void {
    const before = this.#problem
    this.#problem = this.#found()
    this.#lookedAtMs = performance.now()
    if (this.#problem === before) return
    const fields = { directory: this.#directory }
    if (this.#problem === undefined) this.#log.info('the data directory can be used again', fields)
    else this.#log.error(`the data directory ${this.#problem}`, fields)
  }

  #found(): string | undefined {
    const file = join(this.#directory, 'write-probe')
    try {
      const there = statSync(this.#directory, { throwIfNoEntry: false })
      if (there === undefined) return 'was removed; bring it back as it was, or restart the daemon to begin with an empty one'
      if (there.ino !== this.#opened.ino || there.dev !== this.#opened.dev) {
        return 'was replaced by another one; bring the first one back, or restart the daemon to go on with this one'
      }
      const opened = openSync(file, 'w', 0o600)
      try {
        writeSync(opened, probe)
      } finally {
        closeSync(opened)
        unlinkSync(file)
      }
      return undefined
    } catch (error) {
      return `cannot be written: ${error instanceof Error ? error.message : String(error)}`
    }
  }
}

import type { Progress } from '@backplane/sdk'
import type { ExportProgress } from './export-input.ts'

/** Shortest time between two reports, ms. */
const reportMs = 100
/** Over which time the rate is smoothed, ms. */
const smoothingMs = 3_000
const longestPhase = 40
/** A plugin that counts to this counts percent: no disk is that small. */
const wholeShare = 100

/**
 * Counts an export's bytes and tells about them, at most ten times a second and always once more at the end. Before the
 * first byte of a disk arrives, and between disks, what the plugin reports of itself is shown instead: as bytes, or as a
 * share of {@link wholeShare} without any.
 */
export class ProgressMeter implements Disposable {
  readonly #report: (progress: ExportProgress) => void
  readonly #now: () => number
  readonly #sizes: (number | null)[] = []
  #phase = 'starting'
  #bytesDone = 0
  #currentFile: string | null = null
  #filesDone = 0
  #plugin: Progress | undefined
  #rate = 0
  #sample: { readonly atMs: number; readonly bytes: number }
  #reportedAtMs = -Infinity
  #timer: NodeJS.Timeout | undefined

  constructor(report: (progress: ExportProgress) => void, now: () => number = () => performance.now()) {
    this.#report = report
    this.#now = now
    this.#sample = { atMs: now(), bytes: 0 }
  }

  /** Disk bytes not done yet, as far as declared. */
  get bytesLeft(): number {
    return Math.max(0, this.#sizes.reduce<number>((sum, size) => sum + (size ?? 0), 0) - this.#bytesDone)
  }

  phase(phase: string): void {
    this.#phase = phase
    this.#plugin = undefined
    this.#changed()
  }

  declared(number: number, bytes: number | null): void {
    this.#sizes[number - 1] = bytes
    this.#changed()
  }

  begin(file: string): void {
    const wasPlugin = this.#plugin !== undefined
    this.#currentFile = file
    this.#plugin = undefined
    this.#phase = 'exporting'
    if (wasPlugin) this.#restartRate()
    this.#changed()
  }

  add(bytes: number): void {
    this.#bytesDone += bytes
    this.#changed()
  }

  end(): void {
    this.#currentFile = null
    this.#filesDone++
    this.#changed()
  }

  /** A report of the plugin's own; its numbers are not trusted to make sense. */
  plugin(progress: Progress): void {
    if (this.#currentFile !== null || this.#phase === 'finishing' || this.#phase === 'completed') return
    const isNewPhase = this.#plugin?.phase !== progress.phase
    this.#plugin = progress
    if (isNewPhase) this.#restartRate()
    this.#changed()
  }

  /** Reports what is known now if that was not reported yet; with `completed`, the end. */
  close(how: 'completed' | 'unfinished'): void {
    if (how === 'completed') {
      this.#phase = how
      this.#plugin = undefined
    }
    if (how === 'completed' || this.#timer !== undefined) this.#emit()
    this[Symbol.dispose]()
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
  }

  #changed(): void {
    if (this.#timer !== undefined) return
    const waitMs = this.#reportedAtMs + reportMs - this.#now()
    if (waitMs <= 0) this.#emit()
    else this.#timer = setTimeout(() => this.#emit(), waitMs)
  }

  #emit(): void {
    this[Symbol.dispose]()
    const shown = this.#shown()
    this.#reportedAtMs = this.#now()
    this.#measure(shown.done)
    const left = shown.total === null ? null : Math.max(0, shown.total - shown.done)
    const isShare = this.#plugin !== undefined && shown.total === wholeShare
    this.#report({
      phase: shown.phase,
      bytesDone: isShare ? this.#bytesDone : shown.done,
      bytesTotal: isShare ? null : shown.total,
      percent: this.#percent(shown.done, shown.total),
      currentFile: this.#currentFile,
      rateBytes: isShare ? 0 : Math.round(this.#rate),
      etaSeconds: this.#phase === 'completed' ? 0 : this.#eta(left, isShare ? 0 : 1),
      filesDone: this.#filesDone,
      filesTotal: this.#sizes.length,
    })
  }

  #shown(): { readonly phase: string; readonly done: number; readonly total: number | null } {
    const known = this.#sizes.length > 0 && this.#sizes.every((size) => size !== null)
    const total = known ? this.#sizes.reduce<number>((sum, size) => sum + (size ?? 0), 0) : null
    if (this.#plugin === undefined) return { phase: this.#phase, done: this.#bytesDone, total }
    const { phase = this.#phase, done, total: pluginTotal } = this.#plugin
    return { phase: phase.slice(0, longestPhase), done: count(done) ?? 0, total: count(pluginTotal) }
  }

  #eta(left: number | null, slowestRate: number): number | null {
    return left === null || this.#rate <= slowestRate ? null : Math.ceil(left / this.#rate)
  }

  #percent(done: number, total: number | null): number | null {
    if (this.#phase === 'completed') return 100
    return total === null ? null : total === 0 ? 0 : Math.min(99.9, Math.floor((done / total) * 1000) / 10)
  }

  #measure(bytes: number): void {
    const elapsedMs = this.#reportedAtMs - this.#sample.atMs
    if (elapsedMs <= 0) return
    const rate = (Math.max(0, bytes - this.#sample.bytes) * 1000) / elapsedMs
    const weight = this.#rate === 0 ? 1 : 1 - Math.exp(-elapsedMs / smoothingMs)
    this.#rate += (rate - this.#rate) * weight
    this.#sample = { atMs: this.#reportedAtMs, bytes }
  }

  #restartRate(): void {
    this.#rate = 0
    this.#sample = { atMs: this.#now(), bytes: this.#shown().done }
  }
}

function count(value: number | undefined): number | null {
  return value !== undefined && Number.isFinite(value) && value >= 0 ? value : null
}

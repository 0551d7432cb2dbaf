import type { HostLink, Limits, Violation } from '@backplane/kernel'
import type { BodyUse, GuestBody } from '../session-link/guest-body.ts'
import { DataSchedule, freeSpaceOf } from './data-schedule.ts'
import { directoryUse, type DirectoryUse } from './directory-use.ts'
import { violationsBetween } from './resource-group.ts'

/** What is looked after in one plugin's processes. */
export interface Metered {
  readonly body: GuestBody
  readonly host: Pick<HostLink, 'violated'>
  readonly limits: Limits
  /** Its data directory, by the host's name for it. */
  readonly data: string
  /** What all its processes may hold, bytes, where the kernel does not count that; undefined where it does. */
  readonly memoryBytes: number | undefined
}

/** How often processes are looked at, ms: a look costs a quarter of a millisecond. */
const lookMs = 500
/** A share of a processor is one of a second, ms; looks are never on the instant. */
const shareOverMs = 900
/** Of a path in a plugin's data, characters: it names its files as it likes. */
const mostPathShown = 100

/**
 * Looks at what plugins use and tells their hosts when it is more than they may: the enforcement of limits where the
 * kernel of the machine has none, and the witness where it has. One that holds more memory than it may is ended.
 */
export class Meter implements Disposable {
  readonly #watched = new Set<Watch>()
  #timer: NodeJS.Timeout | undefined

  /** Until its body ends. */
  watch(metered: Metered): void {
    if (metered.body.measure === undefined) return
    const watch = new Watch(metered)
    this.#watched.add(watch)
    void metered.body.ended.then(() => this.#forget(watch))
    this.#timer ??= setInterval(() => this.#look(), lookMs).unref()
  }

  [Symbol.dispose](): void {
    this.#watched.clear()
    clearInterval(this.#timer)
  }

  #look(): void {
    for (const watch of this.#watched) void watch.look().catch(() => undefined)
  }

  #forget(watch: Watch): void {
    this.#watched.delete(watch)
    if (this.#watched.size > 0) return
    clearInterval(this.#timer)
    this.#timer = undefined
  }
}

class Watch {
  readonly #metered: Metered
  readonly #most: DirectoryUse
  readonly #schedule: DataSchedule
  #before: { readonly use: BodyUse; readonly atMs: number } | undefined
  #looking = false

  constructor(metered: Metered) {
    this.#metered = metered
    this.#most = { bytes: metered.limits.dataBytes, files: metered.limits.dataFiles }
    this.#schedule = new DataSchedule(this.#most)
  }

  async look(): Promise<void> {
    if (this.#looking) return
    this.#looking = true
    try {
      await this.#lookAtProcesses()
      await this.#lookAtData()
    } finally {
      this.#looking = false
    }
  }

  async #lookAtProcesses(): Promise<void> {
    const { body, limits, memoryBytes } = this.#metered
    const use = await body.measure?.()
    if (use === undefined) return
    const now = { use, atMs: performance.now() }
    if (memoryBytes !== undefined && use.memoryBytes > memoryBytes) {
      const detail = `held ${mebibytes(use.memoryBytes)} of ${mebibytes(memoryBytes)}`
      this.#tell({ kind: 'limit', limit: 'memory', detail })
      body.kill({ kind: 'memory', detail })
      return
    }
    if (use.counts === undefined) this.#lookAtOpenFiles(use)
    const before = this.#before
    if (before !== undefined && now.atMs - before.atMs < shareOverMs) return
    this.#before = now
    if (before === undefined) return
    if (use.counts !== undefined && before.use.counts !== undefined) {
      for (const violation of violationsBetween(before.use.counts, use.counts, limits)) this.#tell(violation)
      return
    }
    const percent = (100 * (use.cpuMs - before.use.cpuMs)) / (now.atMs - before.atMs)
    // Less could be the measure's own error.
    if (percent > limits.cpuPercent * 1.1 + 5) {
      const detail = `used ${Math.round(percent)} % of a processor of ${limits.cpuPercent} %`
      this.#tell({ kind: 'limit', limit: 'cpu', detail })
    }
    if (use.processes > limits.processes) {
      const detail = `has ${use.processes} processes and threads of ${limits.processes}`
      this.#tell({ kind: 'limit', limit: 'processes', detail })
    }
  }

  #lookAtOpenFiles({ openFiles }: BodyUse): void {
    const { limits } = this.#metered
    if (openFiles === undefined || openFiles <= limits.openFiles) return
    this.#tell({ kind: 'limit', limit: 'open-files', detail: `holds ${openFiles} of ${limits.openFiles} files open` })
  }

  async #lookAtData(): Promise<void> {
    const { data } = this.#metered
    const most = this.#most
    const free = await freeSpaceOf(data)
    const beganMs = performance.now()
    if (!this.#schedule.isDue(free, beganMs)) return
    const use = await directoryUse(data, most)
    const nowMs = performance.now()
    this.#schedule.counted(use, free, { tookMs: nowMs - beganMs, nowMs })
    const { bytes, files, uncounted } = use
    if (bytes > most.bytes) {
      const detail = `holds more than ${mebibytes(most.bytes)} in its data directory`
      this.#tell({ kind: 'limit', limit: 'data', detail })
    } else if (files > most.files) {
      const detail = `holds more than ${most.files} files and folders in its data directory`
      this.#tell({ kind: 'limit', limit: 'data', detail })
    } else if (uncounted !== undefined) {
      const detail = `keeps its host from counting what is in its data directory, at ${uncounted.slice(0, mostPathShown)}`
      this.#tell({ kind: 'limit', limit: 'data', detail })
    }
  }

  #tell(violation: Violation): void {
    this.#metered.host.violated(violation)
  }
}

function mebibytes(bytes: number): string {
  return `${Math.round(bytes / 1024 ** 2)} MiB`
}

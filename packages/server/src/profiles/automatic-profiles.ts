import { systemClock, type Clock, type Kernel, type Log, type PluginRecord } from '@backplane/kernel'
import { KeptProfiles, profileOwner } from './kept-profiles.ts'

/** When a plugin is profiled by itself, and how much of that is kept. Times are ms. */
export interface AutomaticProfilesOptions {
  /** Where the files go; made when there is a first one. Nobody else writes here. */
  readonly directory: string
  /** An event loop that stood still for so long within a sample counts. Default 500. */
  readonly stallMs?: number
  /** So many samples within a minute do. Default 2. */
  readonly stalls?: number
  /** One that did not answer for so long stands still now, and is profiled at once. Default 3 000. */
  readonly silentMs?: number
  /** How long the processor is watched. Default 5 000. */
  readonly durationMs?: number
  /** The same plugin is not profiled again before. Default 600 000. */
  readonly restMs?: number
  /** Between two looks. Default 1 000. */
  readonly lookMs?: number
  /** Files kept. Default 20. */
  readonly files?: number
  /** All of them together, bytes. Default 128 MiB. */
  readonly totalBytes?: number
  /** One of them, bytes; one that is larger is not kept. A plugin's process makes its own, and may make up anything. Default 16 MiB. */
  readonly fileBytes?: number
  readonly clock?: Clock
  readonly log?: Log
}

/** Profiles taken without anybody asking. */
export interface AutomaticProfiles extends AsyncDisposable {
  /** Names of the files that are kept of one plugin, oldest first. */
  readonly names: (plugin: string) => Promise<readonly string[]>
}

interface Seen {
  /** Of the newest sample that was looked at. */
  sampleAtMs: number
  stallsAtMs: readonly number[]
  restUntilMs: number
}

const windowMs = 60_000
/** How long a plugin whose event loop stands still may keep its profile waiting. */
const patienceMs = 30_000

/**
 * Profiles a plugin by itself when its event loop stands still again and again, or when it is over its limit of the
 * processor, and keeps the newest profiles. In a tier that profiles from outside, one that stands still for good is caught
 * in the act; in a process of its own it is profiled from its next turn on. One plugin at a time: a profile costs.
 * Lifetime: dispose it before the kernel; a profile under way is given up.
 */
export function automaticProfiles(kernel: Kernel, options: AutomaticProfilesOptions): AutomaticProfiles {
  return new ProfileWatch(kernel, options)
}

class ProfileWatch implements AutomaticProfiles {
  readonly #kernel: Kernel
  readonly #settings: Required<Omit<AutomaticProfilesOptions, 'log'>>
  readonly #log: Log | undefined
  readonly #kept: KeptProfiles
  readonly #seen = new Map<string, Seen>()
  readonly #over = new AbortController()
  readonly #events: Disposable
  #timer: Disposable | undefined
  #taking: Promise<void> | undefined

  constructor(kernel: Kernel, { log, ...options }: AutomaticProfilesOptions) {
    this.#kernel = kernel
    this.#log = log
    this.#settings = { ...defaults, clock: systemClock, ...options }
    this.#kept = new KeptProfiles(options.directory, this.#settings)
    this.#events = kernel.events.subscribe(({ event }) => {
      if (event.type === 'limit.exceeded' && event.limit === 'cpu') this.#take(event.plugin, 'cpu', event.detail)
    })
    this.#arm()
  }

  readonly names = async (plugin: string): Promise<readonly string[]> =>
    (await this.#kept.names()).filter((name) => profileOwner(name) === fileName(plugin))

  async [Symbol.asyncDispose](): Promise<void> {
    this.#over.abort()
    this.#events[Symbol.dispose]()
    this.#timer?.[Symbol.dispose]()
    await this.#taking
  }

  #arm(): void {
    this.#timer = this.#settings.clock.after(this.#settings.lookMs, () => {
      for (const record of this.#kernel.plugins.list()) this.#look(record)
      this.#arm()
    })
  }

  #look({ id, state, usage }: PluginRecord): void {
    if (state.name !== 'active' || usage === undefined) return
    const { clock, stallMs, stalls, silentMs } = this.#settings
    const nowMs = clock.now()
    const seen = this.#seenOf(id)
    if (usage.atMs === seen.sampleAtMs) {
      const silence = nowMs - usage.atMs
      if (silence >= silentMs) this.#take(id, 'stall', `did not answer for ${silence} ms`)
      return
    }
    seen.sampleAtMs = usage.atMs
    const stood = usage.stallMs ?? 0
    if (stood < stallMs) return
    seen.stallsAtMs = [...seen.stallsAtMs.filter((atMs) => atMs > nowMs - windowMs), nowMs]
    if (seen.stallsAtMs.length >= stalls)
      this.#take(id, 'stall', `stood still for ${Math.round(stood)} ms, not for the first time`)
  }

  #take(id: string, why: 'stall' | 'cpu', detail: string): void {
    const nowMs = this.#settings.clock.now()
    const seen = this.#seenOf(id)
    if (this.#taking !== undefined || this.#over.signal.aborted || nowMs < seen.restUntilMs) return
    seen.restUntilMs = nowMs + this.#settings.restMs
    seen.stallsAtMs = []
    const work = this.#write(id, why, detail)
      .catch((error: unknown) => this.#failed(id, error))
      .finally(() => (this.#taking = undefined))
    this.#taking = work
  }

  async #write(id: string, why: string, detail: string): Promise<void> {
    const { clock, durationMs } = this.#settings
    const late = new AbortController()
    using _patience = clock.after(durationMs + patienceMs, () => late.abort(new Error('it stood still for too long')))
    const signal = AbortSignal.any([this.#over.signal, late.signal])
    const time = new Date(clock.now()).toISOString().replaceAll(/[:.]/g, '-')
    const name = `${fileName(id)}-${time}-${why}.cpuprofile`
    const path = await this.#kept.add(name, this.#kernel.plugins.profile(id, 'cpu', { durationMs, signal }))
    this.#log?.write({ level: 'warn', message: `it ${detail}; what it did then is in ${path}`, plugin: id })
  }

  #failed(id: string, error: unknown): void {
    if (this.#over.signal.aborted) return
    const reason = error instanceof Error ? error.message : String(error)
    this.#log?.write({ level: 'info', message: `it could not be profiled by itself: ${reason}`, plugin: id })
  }

  #seenOf(id: string): Seen {
    const seen = this.#seen.get(id) ?? { sampleAtMs: 0, stallsAtMs: [], restUntilMs: 0 }
    this.#seen.set(id, seen)
    return seen
  }
}

/** The plugin's part of a file's name. */
function fileName(id: string): string {
  return id.replaceAll(/[^\w-]+/g, '~')
}

const defaults = {
  stallMs: 500,
  stalls: 2,
  silentMs: 3_000,
  durationMs: 5_000,
  restMs: 600_000,
  lookMs: 1_000,
  files: 20,
  totalBytes: 128 * 1024 ** 2,
  fileBytes: 16 * 1024 ** 2,
} as const

import type { EventLog, KernelEvent } from '@backplane/kernel'

/** What happened to one plugin, counted. */
export interface PluginTally {
  readonly exits: number
  readonly restarts: number
  readonly movedBack: number
  readonly updatesFailed: number
}

interface Counts {
  exits: number
  restarts: number
  movedBack: number
  updatesFailed: number
  /** It ended and has not been started since. */
  isDown: boolean
}

const nothing: PluginTally = Object.freeze({ exits: 0, restarts: 0, movedBack: 0, updatesFailed: 0 })

const tallies = new WeakMap<EventLog, EventTally>()

/** Counts events by plugin, from those that are kept now on. There is one for each log, and it lives as long. */
export class EventTally {
  readonly #counts = new Map<string, Counts>()

  static of(log: EventLog): EventTally {
    const tally = tallies.get(log) ?? new EventTally(log)
    tallies.set(log, tally)
    return tally
  }

  private constructor(log: EventLog) {
    for (const { event } of log.since(0).events) this.#count(event)
    log.subscribe(({ event }) => this.#count(event))
  }

  of(plugin: string): PluginTally {
    return this.#counts.get(plugin) ?? nothing
  }

  #count(event: KernelEvent): void {
    if (event.type === 'plugin.exited') {
      const counts = this.#countsOf(event.plugin)
      counts.exits += 1
      counts.isDown = true
    } else if (event.type === 'plugin.changed' && event.to === 'active') this.#started(event.plugin)
    else if (event.type === 'plugin.moved-back') this.#countsOf(event.plugin).movedBack += 1
    else if (event.type === 'plugin.update-failed') this.#countsOf(event.plugin).updatesFailed += 1
    else if (event.type === 'plugin.removed') this.#counts.delete(event.plugin)
  }

  #started(plugin: string): void {
    const counts = this.#counts.get(plugin)
    if (counts?.isDown !== true) return
    counts.isDown = false
    counts.restarts += 1
  }

  #countsOf(plugin: string): Counts {
    const counts = this.#counts.get(plugin) ?? { exits: 0, restarts: 0, movedBack: 0, updatesFailed: 0, isDown: false }
    this.#counts.set(plugin, counts)
    return counts
  }
}

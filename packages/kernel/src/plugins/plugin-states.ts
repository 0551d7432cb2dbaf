import { kernelErrors } from '../errors.ts'
import type { Log, Store } from '../ports.ts'
import { messageOf } from '../calls/thrown.ts'
import { copyDirectory } from './copy-directory.ts'
import { kernelNamespace as namespace } from './kept-entries.ts'
import type { PluginDirectories } from './plugin-directories.ts'
import { copyNamespace, type SlotName, StateSlot } from './state-slot.ts'

const prefix = 'state/'

/** Which slots a plugin has. Written as a whole: whenever the host is killed, the old or the new one is there. */
interface Slots {
  readonly current: SlotName
  /** Of the version before, untouched since; what going back uses. */
  readonly kept?: SlotName
  /** Names that nothing uses: copies that were not finished, and what going on or back left behind. */
  readonly leftovers: readonly string[]
  readonly next: number
}

/** Where one generation keeps its state, and how that becomes what counts. */
export interface StatePlace {
  readonly slot: StateSlot
  readonly migrate: { readonly from: number; readonly to: number } | undefined
  /** Whether the plugin went back to another slot meanwhile: what this one was made of is no longer what counts. */
  readonly isStale: () => boolean
  /** Writes down that this slot is the plugin's. Writes of generations on another one still wait. */
  readonly commit: () => Promise<void>
  /** Calls reach this slot's generation now: writes of generations on another one are refused. */
  readonly taken: () => void
  /** Gives up: what was the plugin's before is so again. */
  readonly discard: () => Promise<void>
}

/**
 * The state of plugins, kept apart by `stateVersion`. A version that stores in another form gets a copy, so that the one
 * before it can go on, or come back, with what it had. One copy back is kept.
 */
export class PluginStates {
  readonly #store: Store
  readonly #directories: PluginDirectories
  readonly #log: Log
  readonly #slots = new Map<string, Slots>()
  readonly #open = new Map<string, StateSlot>()
  readonly #working = new Set<Promise<void>>()
  /** How often each plugin went back at once. */
  readonly #returns = new Map<string, number>()

  constructor(store: Store, directories: PluginDirectories, log: Log) {
    this.#store = store
    this.#directories = directories
    this.#log = log
  }

  /**
   * Finds, or makes as a copy, where a version of this form keeps its state. Errors: `STATE_TOO_NEW` when what is stored is
   * of a newer form and nothing older is kept, `STATE_COPY_FAILED`.
   */
  async prepare(plugin: string, stateVersion: number): Promise<StatePlace> {
    const slots = await this.#load(plugin, stateVersion)
    const { current, kept } = slots
    if (stateVersion === current.stateVersion) return this.#place(plugin, current)
    if (stateVersion > current.stateVersion) return this.#copy(plugin, slots, stateVersion)
    if (kept?.stateVersion === stateVersion) return this.#place(plugin, kept)
    const parameters = { plugin, stored: current.stateVersion, wanted: stateVersion }
    throw kernelErrors.error('STATE_TOO_NEW', parameters, { plugin })
  }

  /** Lets a slot that was replaced be the plugin's again, at once; it is written down in the background. */
  goBack(to: StateSlot): void {
    const { plugin } = to
    const slots = this.#slots.get(plugin)
    if (slots === undefined || slots.current.name === to.name) return
    this.#returns.set(plugin, this.#returnsOf(plugin) + 1)
    for (const other of [slots.current, slots.kept]) if (other !== undefined) this.#slot(plugin, other).replace()
    to.restore()
    this.#inBackground(
      plugin,
      this.#become(to).then(() => this.#drop(plugin)),
    )
  }

  /** Removes what the store has of a plugin; the directories are removed as a whole. */
  async forget(plugin: string): Promise<void> {
    const { current, kept, leftovers } = await this.#load(plugin, 1)
    const names = [current.name, ...(kept === undefined ? [] : [kept.name]), ...leftovers]
    for (const name of names) {
      const slot = this.#slot(plugin, { name, stateVersion: 0 })
      slot.replace()
      await this.#store.clear(slot.namespace)
    }
    await this.#store.delete(namespace, prefix + plugin)
    this.#slots.delete(plugin)
    for (const key of this.#open.keys()) if (key.startsWith(`${plugin} `)) this.#open.delete(key)
  }

  /** Settles once nothing is being written or removed. */
  async settled(): Promise<void> {
    await Promise.all(this.#working)
  }

  #returnsOf(plugin: string): number {
    return this.#returns.get(plugin) ?? 0
  }

  #inBackground(plugin: string, work: Promise<void>): void {
    const working = work.catch((error: unknown) => this.#failed(plugin, error)).finally(() => this.#working.delete(working))
    this.#working.add(working)
  }

  #place(plugin: string, name: SlotName, migrate?: StatePlace['migrate']): StatePlace {
    const slot = this.#slot(plugin, name)
    const before = this.#slots.get(plugin)?.current ?? name
    const isOther = before.name !== name.name
    const returns = this.#returnsOf(plugin)
    const isCurrent = (other: SlotName): boolean => this.#slots.get(plugin)?.current.name === other.name
    // one that was replaced is written by the version that goes back to it
    if (isOther) slot.restore()
    return {
      slot,
      migrate,
      isStale: () => this.#returnsOf(plugin) !== returns,
      commit: async () => {
        if (isOther) await this.#become(slot)
      },
      taken: () => {
        if (!isOther) return
        slot.restore()
        this.#slot(plugin, before).replace()
        this.#inBackground(plugin, this.#drop(plugin))
      },
      discard: async () => {
        if (!isOther) return
        const old = this.#slot(plugin, before)
        try {
          if (isCurrent(name)) await this.#become(old)
        } finally {
          // what the plugin went back from meanwhile is not written again
          if (this.#returnsOf(plugin) === returns) old.resume()
          else if (!isCurrent(before)) old.replace()
          if (!isCurrent(name)) slot.replace()
        }
        await this.#drop(plugin)
      },
    }
  }

  async #copy(plugin: string, slots: Slots, stateVersion: number): Promise<StatePlace> {
    const name = { stateVersion, name: String(slots.next) }
    const old = this.#slot(plugin, slots.current)
    const slot = this.#slot(plugin, name)
    await this.#save(plugin, { ...slots, leftovers: [...slots.leftovers, name.name], next: slots.next + 1 })
    try {
      await old.pause()
      await copyNamespace(this.#store, old.namespace, slot.namespace)
      await copyDirectory(await this.#directories.data(plugin, old.name), await this.#directories.data(plugin, slot.name))
      return this.#place(plugin, name, { from: old.stateVersion, to: stateVersion })
    } catch (error) {
      old.resume()
      await this.#drop(plugin)
      const versions = { from: old.stateVersion, to: stateVersion }
      throw kernelErrors.error('STATE_COPY_FAILED', { plugin, ...versions, reason: messageOf(error) }, { plugin, cause: error })
    }
  }

  /** One write decides; what counted before is kept if it is older, and left over if it is newer. */
  async #become(slot: StateSlot): Promise<void> {
    const { plugin, name, stateVersion } = slot
    const slots = this.#slots.get(plugin)
    if (slots === undefined || slots.current.name === name) return
    const { current, kept } = slots
    const isForward = stateVersion > current.stateVersion
    const left = [...slots.leftovers, kept?.name, isForward ? undefined : current.name].filter((other) => other !== undefined)
    const next = { current: { name, stateVersion }, leftovers: left.filter((other) => other !== name), next: slots.next }
    try {
      await this.#save(plugin, isForward ? { ...next, kept: current } : next)
    } catch (error) {
      this.#slots.set(plugin, slots)
      throw error
    }
  }

  /** Removes what is left over, as soon as nothing that runs uses it. */
  async #drop(plugin: string): Promise<void> {
    for (const name of this.#slots.get(plugin)?.leftovers ?? []) {
      const slot = this.#slot(plugin, { name, stateVersion: 0 })
      if (slot.users > 0) {
        slot.unused = () => this.#inBackground(plugin, this.#drop(plugin))
        continue
      }
      try {
        await this.#store.clear(slot.namespace)
        await this.#directories.removeData(plugin, name)
        this.#open.delete(keyOf(plugin, name))
        const slots = this.#slots.get(plugin)
        if (slots !== undefined)
          await this.#save(plugin, { ...slots, leftovers: slots.leftovers.filter((other) => other !== name) })
      } catch (error) {
        this.#failed(plugin, error)
      }
    }
  }

  /** Without a record there is nothing stored, or something of the first form. */
  async #load(plugin: string, stateVersion: number): Promise<Slots> {
    const known = this.#slots.get(plugin)
    if (known !== undefined) return known
    const text = await this.#store.get(namespace, prefix + plugin)
    if (text !== undefined) {
      this.#slots.set(plugin, JSON.parse(text) as Slots)
      await this.#drop(plugin)
      return this.#slots.get(plugin) ?? (JSON.parse(text) as Slots)
    }
    const isNew = stateVersion !== 1 && !(await this.#hasAnything(plugin))
    const slots = { current: { stateVersion: isNew ? stateVersion : 1, name: '' }, leftovers: [], next: 2 }
    if (isNew) await this.#save(plugin, slots)
    else this.#slots.set(plugin, slots)
    return slots
  }

  async #hasAnything(plugin: string): Promise<boolean> {
    const first = this.#slot(plugin, { stateVersion: 1, name: '' })
    const keys = await this.#store.keys(first.namespace, '')
    return keys.length > 0 || (await this.#directories.hasData(plugin))
  }

  async #save(plugin: string, slots: Slots): Promise<void> {
    this.#slots.set(plugin, slots)
    await this.#store.set(namespace, prefix + plugin, JSON.stringify(slots))
  }

  #slot(plugin: string, name: SlotName): StateSlot {
    const key = keyOf(plugin, name.name)
    const slot = this.#open.get(key) ?? new StateSlot(plugin, name)
    this.#open.set(key, slot)
    return slot
  }

  #failed(plugin: string, error: unknown): void {
    this.#log.write({ level: 'error', message: `its state cannot be put in order: ${messageOf(error)}`, plugin })
  }
}

function keyOf(plugin: string, name: string): string {
  return `${plugin} ${name}`
}

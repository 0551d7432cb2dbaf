import type { Core } from '../core.ts'
import type { Generation } from './generation.ts'
import type { Candidate, Plugin } from './plugin.ts'
import { within } from '../stages/stop.ts'

/** Which candidates' bytes are staged, so that the sources get them back once nothing runs or will be started from them. */
export class StagedBytes {
  readonly #held = new Map<Candidate, Plugin>()
  /** Generations of which something may still run. */
  readonly #alive = new Set<Generation>()
  readonly #releasing = new Set<Promise<unknown>>()

  /** The generation was started from its candidate's staged bytes. */
  hold(core: Core, generation: Generation): void {
    this.#held.set(generation.candidate, generation.plugin)
    this.#alive.add(generation)
    core.inBackground(generation.plugin, this.#end(core, generation))
  }

  /** To be told from time to time that candidates may have been replaced. */
  review(core: Core): void {
    for (const [candidate, plugin] of this.#held) {
      if (!this.#isUsed(core, candidate, plugin)) core.inBackground(plugin, this.#reviewOne(core, candidate, plugin))
    }
  }

  /** For when nothing runs any more. Settles when the sources have everything back. */
  async releaseAll(core: Core): Promise<void> {
    for (const candidate of this.#held.keys()) void this.#release(core, candidate)
    await Promise.all(this.#releasing)
  }

  async #end(core: Core, generation: Generation): Promise<void> {
    await generation.instance.exited
    this.#alive.delete(generation)
    await this.#reviewOne(core, generation.candidate, generation.plugin)
  }

  /** While work on a plugin is under way, a candidate may be between two hands. */
  async #reviewOne(core: Core, candidate: Candidate, plugin: Plugin): Promise<void> {
    await plugin.quiet()
    if (!this.#isUsed(core, candidate, plugin)) await this.#release(core, candidate)
  }

  /** Whether something runs from the bytes, or a start may come that loads the same ones. */
  #isUsed(core: Core, candidate: Candidate, plugin: Plugin): boolean {
    const { standing, probation } = plugin
    const isNamed = plugin.candidate === candidate || plugin.incoming === candidate
    if (isNamed && core.plugins.get(plugin.id) === plugin) return true
    if (standing?.generation.candidate === candidate && plugin.serving !== undefined) return true
    return probation?.older.started?.generation.candidate === candidate || this.#runs(candidate)
  }

  #runs(candidate: Candidate): boolean {
    for (const generation of this.#alive) if (generation.candidate === candidate) return true
    return false
  }

  async #release(core: Core, candidate: Candidate): Promise<void> {
    const { staged } = candidate
    this.#held.delete(candidate)
    candidate.staged = undefined
    if (staged?.release === undefined) return
    const releasing = within(core, core.times.stopMs, staged.release()).catch(() => undefined)
    this.#releasing.add(releasing)
    await releasing
    this.#releasing.delete(releasing)
  }
}

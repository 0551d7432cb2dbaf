import type { Core } from '../core.ts'
import type { Plugin } from '../plugins/plugin.ts'
import type { Route } from '../points/point-table.ts'

/** Equal refusals within this time are one event, or a flood of calls would push everything else out of the log, ms. */
const quietMs = 1_000
const mostRemembered = 1_000

/** Records calls that a plugin was not even asked for. */
export class Refusals {
  readonly #toldAtMs = new Map<string, number>()

  record(core: Core, plugin: Plugin, { point, method }: Route, error: Error): void {
    const own: unknown = Reflect.get(error, 'code')
    const code = typeof own === 'string' ? own : error.name
    const key = `${plugin.id} ${point} ${method} ${code}`
    const nowMs = core.clock.now()
    if (nowMs - (this.#toldAtMs.get(key) ?? -Infinity) < quietMs) return
    if (this.#toldAtMs.size >= mostRemembered) this.#toldAtMs.clear()
    this.#toldAtMs.set(key, nowMs)
    core.events.record({ type: 'call.refused', plugin: plugin.id, point, method, code })
  }
}

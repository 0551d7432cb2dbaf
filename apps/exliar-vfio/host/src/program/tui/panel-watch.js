import { setTimeout as sleep } from 'node:timers/promises'
import { panel as panelPoint, uiEvent } from '@exliar-vfio/points'
import { Hooks } from '../../plugins/hook-run.js'
import { failureText } from './failure-text.js'
/** Between two looks at the panel that is shown. */
const pauseMs = 1_000
/** A plugin that is told that the interface closes is not waited for longer. */
const farewellMs = 1_000
/** Draws the panel that is shown, and tells its plugin, and no other, what a person does in it. */
export class PanelWatch {
  #parts
  #shown
  #wake
  #telling = Promise.resolve()
  constructor(parts) {
    this.#parts = parts
  }
  /** Draws this panel from now on instead of another; null: none. */
  show(panel) {
    const before = this.#shown
    before?.stop.abort()
    this.#shown = undefined
    if (before !== undefined) this.#tell(before.panel, 'closed', null, AbortSignal.timeout(farewellMs))
    if (panel === null) return
    const stop = new AbortController()
    this.#shown = { panel, stop }
    this.#tell(panel, 'opened', null, stop.signal)
    void this.#draw(panel, stop.signal)
  }
  /** Does an action of the panel; what came of it is drawn at once. */
  act(panel, action) {
    const signal = this.#shown?.stop.signal
    if (signal === undefined) return
    this.#tell(panel, 'action', action, signal)
    void this.#telling.then(() => this.#wake?.abort())
  }
  async [Symbol.asyncDispose]() {
    this.show(null)
    await this.#telling
  }
  async #draw(panel, signal) {
    while (!signal.aborted) {
      const content = await this.#rendered(panel, signal)
      if (signal.aborted) return
      this.#parts.drawn(panel, content)
      const wake = (this.#wake = new AbortController())
      await sleep(pauseMs, undefined, { signal: AbortSignal.any([signal, wake.signal]) }).catch(() => undefined)
    }
  }
  async #rendered({ name }, signal) {
    try {
      const { kernel } = await this.#parts.plugins()
      return { kind: 'there', value: await kernel.provider(panelPoint, name).render(null, { signal }) }
    } catch (error) {
      return { kind: 'failed', message: failureText(error) }
    }
  }
  /** One after the other, so that a plugin is told in the order it happened. */
  #tell(panel, kind, action, signal) {
    this.#telling = this.#telling.then(() => this.#told(panel, kind, action, signal))
  }
  async #told({ plugin, name }, kind, action, signal) {
    try {
      const { kernel, runs } = await this.#parts.plugins()
      const hooks = new Hooks({
        kernel: { emit: (point, value, options) => kernel.emit(point, value, { ...options, only: plugin }) },
        record: (run) => runs.record(run),
      })
      const panel = `${plugin}/${name}`
      const { steps } = await hooks.run(uiEvent, { panel, kind, action }, panel, signal)
      const failed = steps.find(({ outcome }) => outcome === 'failed')
      if (failed !== undefined) this.#parts.failed(`${plugin} failed: ${failed.message ?? ''}`)
    } catch (error) {
      if (!signal.aborted) this.#parts.failed(failureText(error))
    }
  }
}
//# sourceMappingURL=panel-watch.js.map

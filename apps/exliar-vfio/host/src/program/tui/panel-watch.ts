import { setTimeout as sleep } from 'node:timers/promises'
import { panel as panelPoint, uiEvent, type PanelContent, type UiEvent } from '@exliar-vfio/points'
import { Hooks } from '../../plugins/hook-run.ts'
import type { PluginWork } from '../session.ts'
import type { Loaded, PanelTab } from './tui-state.ts'
import { failureText } from './failure-text.ts'

/** Between two looks at the panel that is shown. */
const pauseMs = 1_000
/** A plugin that is told that the interface closes is not waited for longer. */
const farewellMs = 1_000

/** What {@link PanelWatch} is made of. */
export interface PanelWatchParts {
  readonly plugins: () => Promise<PluginWork>
  readonly drawn: (panel: PanelTab, content: Loaded<PanelContent>) => void
  readonly failed: (text: string) => void
}

/** Draws the panel that is shown, and tells its plugin, and no other, what a person does in it. */
export class PanelWatch implements AsyncDisposable {
  readonly #parts: PanelWatchParts
  #shown: { readonly panel: PanelTab; readonly stop: AbortController } | undefined
  #wake: AbortController | undefined
  #telling: Promise<void> = Promise.resolve()

  constructor(parts: PanelWatchParts) {
    this.#parts = parts
  }

  /** Draws this panel from now on instead of another; null: none. */
  show(panel: PanelTab | null): void {
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

  /** Does an action of the panel. */
  act(panel: PanelTab, action: string): void {
    const signal = this.#shown?.stop.signal
    if (signal === undefined) return
    this.#tell(panel, 'action', action, signal)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.show(null)
    await this.#telling
  }

  async #draw(panel: PanelTab, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const content = await this.#rendered(panel, signal)
      if (signal.aborted) return
      this.#parts.drawn(panel, content)
      const wake = (this.#wake = new AbortController())
      await sleep(pauseMs, undefined, { signal: AbortSignal.any([signal, wake.signal]) }).catch(() => undefined)
    }
  }

  async #rendered({ name }: PanelTab, signal: AbortSignal): Promise<Loaded<PanelContent>> {
    try {
      const { kernel } = await this.#parts.plugins()
      return { kind: 'there', value: await kernel.provider(panelPoint, name).render(null, { signal }) }
    } catch (error) {
      return { kind: 'failed', message: failureText(error) }
    }
  }

  /** One after the other, so that a plugin is told in the order it happened. What came of it is drawn at once. */
  #tell(panel: PanelTab, kind: UiEvent['kind'], action: string | null, signal: AbortSignal): void {
    this.#telling = this.#telling.then(() => this.#told(panel, kind, action, signal)).then(() => this.#wake?.abort())
  }

  async #told({ plugin, name }: PanelTab, kind: UiEvent['kind'], action: string | null, signal: AbortSignal): Promise<void> {
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

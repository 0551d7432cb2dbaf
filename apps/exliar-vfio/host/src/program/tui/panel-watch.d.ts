import { type PanelContent } from '@exliar-vfio/points'
import type { PluginWork } from '../session.ts'
import type { Loaded, PanelTab } from './tui-state.ts'
/** What {@link PanelWatch} is made of. */
export interface PanelWatchParts {
  readonly plugins: () => Promise<PluginWork>
  readonly drawn: (panel: PanelTab, content: Loaded<PanelContent>) => void
  readonly failed: (text: string) => void
}
/** Draws the panel that is shown, and tells its plugin, and no other, what a person does in it. */
export declare class PanelWatch implements AsyncDisposable {
  #private
  constructor(parts: PanelWatchParts)
  /** Draws this panel from now on instead of another; null: none. */
  show(panel: PanelTab | null): void
  /** Does an action of the panel; what came of it is drawn at once. */
  act(panel: PanelTab, action: string): void
  [Symbol.asyncDispose](): Promise<void>
}
//# sourceMappingURL=panel-watch.d.ts.map

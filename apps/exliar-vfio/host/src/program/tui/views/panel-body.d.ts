import type { PanelContent } from '@exliar-vfio/points'
import { type Body } from './line.ts'
/** Most lines of one panel. */
export declare const longestPanel = 2000
/** Names of the actions of a panel, in order. */
export declare function actionsOf({ items }: PanelContent): readonly string[]
/** A panel of a plugin. Whatever it sends is text here. */
export declare function panelBody({ items }: PanelContent, chosenAction: number, width: number): Body
/** The newest values as bars from the least to the most of them; the least is 0 unless some are below. */
export declare function sparkline(values: readonly number[], width: number): string
//# sourceMappingURL=panel-body.d.ts.map

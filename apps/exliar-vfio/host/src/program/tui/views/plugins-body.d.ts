import type { PluginRecord } from '@backplane/kernel'
import { type Body } from './line.ts'
/** Every plugin with its state, and why. */
export declare function pluginsBody(records: readonly PluginRecord[], width: number): Body
//# sourceMappingURL=plugins-body.d.ts.map

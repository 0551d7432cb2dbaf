import type { Detection } from '../../../lifecycle/detect.ts'
import { type Body } from './line.ts'
/** What machine this is, each fact with where it stands. */
export declare function systemBody({ system, facts, devices, gpus, troubles }: Detection, width: number): Body
//# sourceMappingURL=system-body.d.ts.map

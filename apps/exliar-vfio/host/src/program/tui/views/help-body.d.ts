import { type Body } from './line.ts'
/** Every key. */
export declare function helpBody(width: number): Body
//# sourceMappingURL=help-body.d.ts.map

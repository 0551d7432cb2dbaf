import type { GpuDevice, PciDevice } from '@exliar-vfio/points'
import type { Detection } from '../../../lifecycle/detect.ts'
import { type Body, type Tone } from './line.ts'
/** How a verdict is coloured; the word stands beside it. */
export declare const verdictTones: Readonly<Record<GpuDevice['assessment']['verdict'], Tone>>
/** Functions in the order of the list: by group, those without at the end. */
export declare function listedDevices({ devices }: Pick<Detection, 'devices'>): readonly PciDevice[]
/** Place of the graphics adapter that follows a place of the list; after the last comes the first. -1: there is none. */
export declare function nextGpu(detection: Pick<Detection, 'devices' | 'gpus'>, after: number): number
/** Every function below the head of its group. */
export declare function devicesBody(detection: Detection, chosen: number, selected: readonly string[]): Body
/** All that is known of one function. */
export declare function deviceDetails(detection: Detection, bdf: string, width: number): Body
//# sourceMappingURL=devices-body.d.ts.map

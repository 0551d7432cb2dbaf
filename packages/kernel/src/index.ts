export type * from './audit.ts'
export { createKernel } from './create-kernel.ts'
export { kernelErrors, type KernelErrorCode } from './errors.ts'
export type * from './events.ts'
export type * from './kernel.ts'
export type * from './manifest-summary.ts'
export { defaultLimits, defaultTimes, limitsFor } from './plugins/limits.ts'
export {
  describePermission,
  describePermissions,
  type PermissionRisk,
  type PermissionSentence,
} from './plugins/permission-sentence.ts'
export { defaultProbation } from './plugins/regression.ts'
export { memoryStore } from './memory-store.ts'
export { didYouMean, nearestName } from '@backplane/sdk'
export type * from './ports.ts'
export { durationMs, sizeBytes } from './quantity.ts'
export { isLegalTransition } from './record.ts'
export type * from './record.ts'
export { acceptManifest } from './stages/check.ts'
export { resolveSettings, type SettingsContext } from './settings.ts'
export type * from './supervision.ts'
export { defaultSupervision } from './supervision.ts'
export { defaultActions } from './plugins/violations.ts'
export { systemClock } from './system-clock.ts'

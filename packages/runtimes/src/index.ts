export { runtimeErrors, type RuntimeErrorCode } from './errors.ts'
export type { HostModules } from './guest/module-map.ts'
export { trusted, type TrustedOptions } from './trusted/trusted.ts'

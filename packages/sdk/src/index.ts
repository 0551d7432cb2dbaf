export type { Call, CallOptions, Logger, LogFields, LogLevel, Progress, ServedBy } from './call.ts'
export {
  definePlugin,
  isPluginModule,
  pluginMark,
  type Migrate,
  type Migration,
  type PluginModule,
  type Setup,
} from './define-plugin.ts'
export { defineErrors, type ErrorCatalogue, type ErrorParameters, type ErrorSpec } from './error-catalogue.ts'
export { manifestSchema } from './manifest-schema.ts'
export type {
  ContributionMetadata,
  Criticality,
  HandlerOrder,
  Manifest,
  ManifestDependency,
  ManifestLimits,
  Tier,
} from './manifest.ts'
export { didYouMean, nearestName } from './nearest-name.ts'
export type { PermissionKind, PermissionRisk, PermissionVocabulary } from './permission-kind.ts'
export { PlatformError, type PlatformErrorFields, type PlatformErrorJson } from './platform-error.ts'
export {
  defineData,
  defineHook,
  defineProvider,
  optional,
  stream,
  unary,
  type Client,
  type DataPoint,
  type HookHandler,
  type HookOptions,
  type HookPoint,
  type HookStrategy,
  type Implementation,
  type Method,
  type MethodOptions,
  type Methods,
  type OpenedClient,
  type OpenedImplementation,
  type Point,
  type PointActivation,
  type Provided,
  type ProviderHandle,
  type ProviderOptions,
  type ProviderPoint,
  type VetoAnswer,
} from './point.ts'
export {
  mostScannerFindings,
  scanner,
  type ScannedPackage,
  type ScannedPiece,
  type ScannerFinding,
  type ScannerMethods,
} from './scanner.ts'
export type { Directories, PluginIdentity, Scope, Secrets, State } from './scope.ts'
export { anything, type InputOf, type OutputOf, type Schema, type SchemaIssue, type SchemaResult } from './standard-schema.ts'

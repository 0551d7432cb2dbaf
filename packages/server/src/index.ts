export type { EventStreamOptions } from './api/event-routes.ts'
export type { InspectionOptions, SystemLayers } from './api/inspection-routes.ts'
export { managementApi, type ManagementApi, type ManagementApiOptions } from './api/management-api.ts'
export { openapiDocument } from './api/openapi.ts'
export type { OperationLimits } from './api/operations.ts'
export { securedDocument } from './api/secured-document.ts'
export { serverErrors } from './errors.ts'
export type { BodyLimits, BodyTypes } from './guard/body.ts'
export { guard, type GuardOptions } from './guard/guard.ts'
export type { Scope } from './guard/scope.ts'
export { managementAccess, type Access, type AccessTable } from './guard/access.ts'
export type { Caller } from './guard/caller.ts'
export { tokenStore, type NamedToken, type TokenRequest, type TokenStore } from './guard/token-store.ts'
export { tokenDigest, type Token } from './guard/token.ts'
export { tokenFile, type TokenFile } from './guard/token-file.ts'
export type { Handler, Peer } from './handler.ts'
export { idempotent, type IdempotencyOptions } from './idempotent.ts'
export { problemResponder, problemResponse, type Problem, type ProblemResponder } from './problem.ts'
export { automaticProfiles, type AutomaticProfiles, type AutomaticProfilesOptions } from './profiles/automatic-profiles.ts'
export {
  isLoopback,
  serve,
  type ConnectionLimits,
  type Served,
  type ServeOptions,
  type TcpOptions,
  type TlsFiles,
} from './serve/serve.ts'
export { serverSentEvents, type ServerSentEvent, type SseOptions } from './sse.ts'
export { streamLimit } from './stream-limit.ts'
export { unrouted } from './unrouted.ts'
export { explainPlugin } from './why/explain-plugin.ts'
export type { Evidence, Finding } from './why/finding.ts'

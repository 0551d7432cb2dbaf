import type { ApprovalBook, AuditTrail, Kernel, Log } from '@backplane/kernel'
import type { ErrorCatalogue } from '@backplane/sdk'
import { OpenAPIHono } from '@hono/zod-openapi'
import { addApprovalRoutes } from '../approvals/approval-routes.ts'
import { addAuditRoutes } from '../audit/audit-routes.ts'
import { serverErrors } from '../errors.ts'
import type { Handler, Peer } from '../handler.ts'
import { idempotent } from '../idempotent.ts'
import { auditedInstalls } from '../installs/audited-installs.ts'
import { addInstallRoutes } from '../installs/install-routes.ts'
import { addPermissionRoutes } from '../installs/permission-routes.ts'
import type { PluginInstalls } from '../installs/plugin-installs.ts'
import type { PluginUsers } from '../installs/plugin-users.ts'
import { problemResponder } from '../problem.ts'
import { unrouted } from '../unrouted.ts'
import { addEventRoutes, type EventStreamOptions } from './event-routes.ts'
import { addHealthRoutes } from './health-routes.ts'
import type { TokenStore } from '../guard/token-store.ts'
import { addInspectionRoutes, type InspectionOptions } from './inspection-routes.ts'
import { openapiDocument } from './openapi.ts'
import { addOperationRoutes, respondAsync } from './operation-routes.ts'
import { Operations, type OperationLimits } from './operations.ts'
import { addPluginActions } from './plugin-actions.ts'
import { pluginChanges } from './plugin-change.ts'
import { addPluginRoutes } from './plugin-routes.ts'
import { addTokenRoutes } from './token-routes.ts'
import { addUnescapedIds } from './unescaped-ids.ts'
import { addVersionRoutes } from './version-routes.ts'

/** How a host shapes its management API. */
export interface ManagementApiOptions extends InspectionOptions {
  /** Errors whose status is wanted when the kernel or the host throws them. */
  readonly catalogues?: readonly ErrorCatalogue[]
  readonly log?: Log
  /** Reasons beside the plugins' why the host should not be given work; none when it is ready. */
  readonly notReady?: () => readonly string[]
  /** The host's own metrics, in Prometheus text, put after the plugins'. */
  readonly metrics?: () => string
  readonly events?: EventStreamOptions
  /** Tokens that can be made, listed and revoked by this API; the guard is given the same. Without them it cannot. */
  readonly tokens?: TokenStore
  readonly operations?: Partial<OperationLimits>
  /** What installs, and keeps what was approved. Without it nothing can be installed over this API. */
  readonly installs?: PluginInstalls
  /** What of the host uses a plugin: it is not removed meanwhile. Calls and leases count by themselves. */
  readonly users?: PluginUsers
  /**
   * Shown and checked by this API, which writes down what was installed, approved, and which tokens were made; that it was asked
   * for, as every change, is written down by the guard.
   */
  readonly audit?: AuditTrail
  /** The questions of critical operations that wait for a person; decided over this API by whoever has `admin`. */
  readonly approvals?: ApprovalBook
}

/** The management API of one kernel. */
export interface ManagementApi {
  /** Answers a request. It judges nobody: put the guard before it. */
  readonly fetch: Handler
  /**
   * The same as an application, for a host that routes its own beside: `app.route('/', api.app)`. The host then wraps
   * its whole application with {@link idempotent}, which {@link fetch} has built in.
   */
  readonly app: OpenAPIHono<{ Bindings: Peer }>
}

/**
 * Management REST over a kernel: list, find, reload, enable, disable and remove plugins, choose their versions, look at
 * what they use and why they are as they are, profile them, tokens, events, health, metrics. Every error is problem+json.
 * Changes to one plugin go one after another; `If-Match` with the ETag that was read refuses a change of something that has
 * changed meanwhile, `Idempotency-Key` makes a POST safe to repeat, and `Prefer: respond-async` lets a change go on after its
 * answer, as an operation. A caller whose token is for some plugins alone sees no others.
 * Errors: `SERVER_ID_INVALID`, `SERVER_ID_RESERVED`, `SERVER_ID_AMBIGUOUS`, `SERVER_PLUGIN_UNKNOWN`,
 * `SERVER_STATE_CHANGED`, `SERVER_PLUGIN_BUSY`, `SERVER_OPERATION_UNKNOWN`, `SERVER_OPERATIONS_FULL`, `SERVER_TOKEN_UNKNOWN`,
 * `SERVER_TOKEN_EXISTS`, `SERVER_TOKENS_FULL`, `SERVER_APPROVAL_UNKNOWN`, `SERVER_APPROVAL_DECIDED`, `SERVER_RELOAD_FAILED`,
 * `SERVER_ROLLBACK_FAILED`, `SERVER_REQUEST_INVALID`, `SERVER_STREAMS_FULL`,
 * `SERVER_ROUTE_UNKNOWN`, `SERVER_METHOD_REFUSED`, and those of the kernel.
 */
export function managementApi(kernel: Kernel, options: ManagementApiOptions = {}): ManagementApi {
  const problem = problemResponder(options.catalogues ?? [], options.log)
  const app = new OpenAPIHono<{ Bindings: Peer }>({
    defaultHook: (result) => {
      if (result.success) return
      const whole = result.target === 'json' ? 'body' : result.target
      const reason = result.error.issues.map((issue) => `${issue.path.join('.') || whole}: ${issue.message}`).join('; ')
      throw serverErrors.error('SERVER_REQUEST_INVALID', { reason })
    },
  })
  const operations = new Operations(options.operations)
  const later = respondAsync(app, kernel, operations)
  for (const path of ['/api/plugins/*', '/api/lock/*', '/api/store/*']) app.use(path, later)
  const change = pluginChanges(kernel.plugins)
  const { users, audit } = options
  const installs = options.installs && audit ? auditedInstalls(options.installs, audit) : options.installs
  if (installs !== undefined) addInstallRoutes(app, kernel, { installs, change, users })
  addPluginRoutes(app, kernel)
  addPluginActions(app, kernel, { change, removing: { installs, users } })
  addVersionRoutes(app, kernel, change)
  if (installs !== undefined) addPermissionRoutes(app, kernel, { installs, change })
  addInspectionRoutes(app, kernel, options)
  addOperationRoutes(app, operations)
  if (options.tokens !== undefined) addTokenRoutes(app, options.tokens, options)
  if (audit !== undefined) addAuditRoutes(app, audit)
  if (options.approvals !== undefined) addApprovalRoutes(app, options.approvals, options.log)
  addUnescapedIds(app)
  addEventRoutes(app, kernel, options.events ?? {})
  addHealthRoutes(app, kernel, options)
  let openapi: ReturnType<typeof openapiDocument> | undefined
  app.get('/openapi.json', (context) => context.json((openapi ??= openapiDocument())))
  app.notFound(unrouted(app))
  app.onError((error, context) => (isLeft(error, context.req.raw) ? new Response(null, { status: clientGone }) : problem(error)))
  const handler = idempotent()((request, peer) => app.fetch(request, peer))
  const fetch: Handler = async (request, peer) => {
    try {
      return await handler(request, peer)
    } catch (error) {
      return problem(error)
    }
  }
  return { fetch, app }
}

/** Nobody reads this answer; the number is the one proxies log for a client that went away. */
const clientGone = 499

/** Whether there is no answer because nobody waits for one; that is no fault of the host's, and not logged as one. */
function isLeft(error: Error, { signal }: Request): boolean {
  return error.name === 'AbortError' && signal.aborted
}

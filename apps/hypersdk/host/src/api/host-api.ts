import type { ApprovalBook, AuditTrail, Kernel, Log } from '@backplane/kernel'
import type { ErrorCatalogue } from '@backplane/sdk'
import {
  idempotent,
  managementApi,
  securedDocument,
  unrouted,
  type Handler,
  type InspectionOptions,
  type Peer,
  type PluginInstalls,
  type PluginUsers,
  type TokenStore,
} from '@backplane/server'
import { OpenAPIHono } from '@hono/zod-openapi'
import { hypersdkErrors } from '../errors.ts'
import type { Redactor } from '../secrets/redactor.ts'
import { plainIssue } from '../schema-problems.ts'
import { answerError } from './answer-error.ts'
import { hostAccess } from './host-access.ts'
import { jobMetrics } from './job-metrics.ts'
import { addJobRoutes, type JobApi } from './job-routes.ts'
import { addJobStateRoutes } from './job-state-routes.ts'
import { addProviderRoutes } from './provider-routes.ts'
import { addStatusRoutes } from './status-routes.ts'
import { addVerifyRoutes } from './verify-routes.ts'
import { withoutSecrets } from './without-secrets.ts'

/** What the API of hypervisord is made of. */
export interface HostApiOptions extends JobApi, InspectionOptions {
  readonly kernel: Kernel
  readonly version: string
  /** Reasons, without paths, why the daemon should get no work now. */
  readonly notReady: () => readonly string[]
  readonly redactor: Redactor
  readonly log: Log
  /** Errors whose status is wanted. */
  readonly catalogues: readonly ErrorCatalogue[]
  /** The tokens the guard asks for; made, listed and revoked here. */
  readonly tokens: TokenStore
  readonly installs: PluginInstalls
  /** What of the daemon uses a plugin. */
  readonly users: PluginUsers
  /** Shown and checked here; undefined where none is kept. */
  readonly audit: AuditTrail | undefined
  /** What waits for a person. */
  readonly approvals: ApprovalBook
}

/**
 * The whole HTTP API: providers and machines, jobs, status, and the management of plugins, with one API document. It
 * judges nobody: put the guard before it.
 */
export function hostApi(options: HostApiOptions): Handler {
  const { kernel, log, runner, catalogues } = options
  const app = new OpenAPIHono<{ Bindings: Peer }>({
    defaultHook: (result) => {
      if (result.success) return
      const lines = result.error.issues.map((issue) => `${issue.path.join('.')}: ${plainIssue(issue)}`)
      throw hypersdkErrors.error('REQUEST_INVALID', { first: lines.join('; ') }, { details: { problems: lines } })
    },
  })
  addStatusRoutes(app, options)
  addProviderRoutes(app, options.providers)
  addJobRoutes(app, options)
  addVerifyRoutes(app, options.ledger)
  addJobStateRoutes(app, options.ledger)
  const management = managementApi(kernel, {
    catalogues,
    log,
    tokens: options.tokens,
    ...(options.audit === undefined ? {} : { audit: options.audit }),
    installs: options.installs,
    users: options.users,
    approvals: options.approvals,
    notReady: () => [...(runner.accepting ? [] : ['the daemon is stopping']), ...options.notReady()],
    metrics: () => jobMetrics(options.ledger),
    ...(options.system === undefined ? {} : { system: options.system }),
    ...(options.problems === undefined ? {} : { problems: options.problems }),
    ...(options.profiles === undefined ? {} : { profiles: options.profiles }),
  })
  // Made when it is asked for: that takes as long as the rest of a start, and hardly anybody asks.
  let document: ReturnType<typeof openapiDocument> | undefined
  app.get('/openapi.json', (context) => context.json((document ??= openapiDocument(app, options.version))))
  app.route('/', management.app)
  const answer = answerError(catalogues, log)
  app.onError((error) => answer(error))
  app.notFound(unrouted(app))
  return withoutSecrets(
    options.redactor,
    idempotent()((request, peer) => app.fetch(request, peer)),
  )
}

function openapiDocument(app: OpenAPIHono<{ Bindings: Peer }>, version: string): ReturnType<OpenAPIHono['getOpenAPI31Document']> {
  const document = app.getOpenAPI31Document({
    openapi: '3.1.0',
    info: {
      title: 'hypervisord',
      version,
      description: 'Over the unix socket no token is asked. Every error is an RFC 9457 problem with a stable `code`.',
      license: { name: 'Apache-2.0', url: 'https://www.apache.org/licenses/LICENSE-2.0' },
    },
  })
  return securedDocument(document, hostAccess)
}

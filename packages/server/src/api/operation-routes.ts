import type { Kernel } from '@backplane/kernel'
import type { OpenAPIHono, z } from '@hono/zod-openapi'
import type { MiddlewareHandler } from 'hono'
import type { Peer } from '../handler.ts'
import { bringsArchive } from '../installs/receive-upload.ts'
import { serverSentEvents, type ServerSentEvent } from '../sse.ts'
import { streamLimit } from '../stream-limit.ts'
import { definitions, longestWaitSeconds, type OperationView } from './operation-definitions.ts'
import type { Operation, Operations } from './operations.ts'
import { findPlugin } from './plugin-id.ts'
import { preferences } from './preferences.ts'
import { visiblePlugins } from './visible-plugins.ts'

/** Streams of operations open at once. */
const mostStreams = 64

/** Adds what tells how operations go. */
export function addOperationRoutes(app: OpenAPIHono<{ Bindings: Peer }>, operations: Operations): void {
  const begin = streamLimit(mostStreams)

  app.openapi(definitions.listOperations, (context) => {
    const views = operations.list(context.env.caller).map(operationView)
    return context.json({ operations: views, count: views.length }, 200)
  })

  app.openapi(definitions.getOperation, async (context) => {
    const { id } = context.req.valid('param')
    const { wait = 0 } = context.req.valid('query')
    const { caller, closing } = context.env
    await endOrTime(operations.get(id, caller), wait, AbortSignal.any([context.req.raw.signal, closing]))
    return context.json(operationView(operations.get(id, caller)), 200)
  })

  app.openapi(definitions.streamOperation, (context) => {
    const { id } = context.req.valid('param')
    const { caller } = context.env
    const now = (): Operation => operations.get(id, caller)
    now()
    const told = (): Promise<void> => operations.told(id)
    return serverSentEvents(context.env, (signal) => operationEvents({ now, told }, signal), { onEnd: begin() })
  })
}

/**
 * Lets the changes of plugins go on after their answer, for those who ask for it (`Prefer: respond-async`): they are told 202
 * with the operation to look at; with `wait=<seconds>` only when the change takes longer than that. Added before the routes.
 * Source: RFC 7240 §4.1 and §4.3.
 */
export function respondAsync(
  app: OpenAPIHono<{ Bindings: Peer }>,
  kernel: Kernel,
  operations: Operations,
): MiddlewareHandler<{ Bindings: Peer }> {
  return async (context, next) => {
    const { req, env } = context
    const { respondAsync: wanted, waitSeconds = 0 } = preferences(req.header('prefer'))
    const change = wanted && !bringsArchive(req.raw) ? changeOf(req.method, req.path) : undefined
    if (change === undefined) return next()
    const visible = visiblePlugins(kernel.plugins, env.caller)
    const plugin = change.id === undefined ? undefined : findPlugin(visible, decodeURIComponent(change.id)).id
    // The change is nobody's to break off by leaving: its request is another, which ends with the server alone.
    const headers = new Headers(req.raw.headers)
    headers.delete('prefer')
    const body = await req.raw.arrayBuffer()
    const signal = env.closing
    const again = new Request(req.url, { method: req.method, headers, signal, ...(body.byteLength === 0 ? {} : { body }) })
    let answered: Response | undefined
    const operation = operations.start({ method: req.method, path: req.path, plugin }, async (onProgress) => {
      const settle = env.auditLater?.()
      const answer = await app.fetch(again, { ...env, onProgress })
      await settle?.(answer)
      answered = answer
      return answer.clone()
    })
    await endOrTime(operation, Math.min(waitSeconds, longestWaitSeconds), AbortSignal.any([req.raw.signal, env.closing]))
    if (answered !== undefined) return answered
    const view = operationView(operations.get(operation.id, env.caller))
    return context.json(view, 202, {
      Location: `/api/operations/${operation.id}`,
      'Preference-Applied': 'respond-async',
      'Retry-After': '1',
    })
  }
}

const verbs = /^\/api\/plugins\/(.+)\/(?:reload|enable|disable|rollback|pin|unpin|release|update|approve|withhold|revoke)$/

/** Changes that are about more than one plugin. */
const wide: ReadonlySet<string> = new Set([
  '/api/plugins/reload',
  '/api/plugins/plan',
  '/api/plugins/apply',
  '/api/plugins/install',
  '/api/lock/verify',
  '/api/lock/restore',
  '/api/lock/bundle',
  '/api/store/gc',
  '/api/store/repair',
])

/** The plugin a request would change, as written, or undefined within for all of them; undefined when it changes none. */
function changeOf(method: string, path: string): { readonly id: string | undefined } | undefined {
  if (method === 'DELETE') return { id: path.slice('/api/plugins/'.length) }
  if (method === 'POST' && wide.has(path)) return { id: undefined }
  if (method !== 'POST' && method !== 'PUT') return undefined
  const id = verbs.exec(path)?.[1]
  return id === undefined ? undefined : { id }
}

interface Watched {
  readonly now: () => Operation
  /** Settles at its next progress. */
  readonly told: () => Promise<void>
}

async function* operationEvents({ now, told }: Watched, signal: AbortSignal): AsyncGenerator<ServerSentEvent> {
  const left = Promise.withResolvers<void>()
  const leave = (): void => left.resolve()
  signal.addEventListener('abort', leave)
  try {
    while (now().state.name === 'running' && !signal.aborted) {
      const next = told()
      yield { event: 'operation', data: operationView(now()) }
      await Promise.race([now().ended, next, left.promise])
    }
  } finally {
    signal.removeEventListener('abort', leave)
  }
  const after = now()
  if (after.state.name === 'ended') yield { event: 'end', data: operationView(after) }
}

async function endOrTime({ ended }: Operation, seconds: number, signal: AbortSignal): Promise<void> {
  if (seconds === 0 || signal.aborted) return
  const over = Promise.withResolvers<void>()
  const timer = setTimeout(over.resolve, seconds * 1_000)
  const leave = (): void => over.resolve()
  signal.addEventListener('abort', leave)
  await Promise.race([ended, over.promise])
  clearTimeout(timer)
  signal.removeEventListener('abort', leave)
}

function operationView({ id, method, path, plugin, startedAtMs, state, progress }: Operation): z.output<typeof OperationView> {
  const ended = state.name === 'ended' ? state : undefined
  const failed = ended !== undefined && ended.status >= 400
  return {
    id,
    method,
    path,
    plugin: plugin ?? null,
    status: ended === undefined ? 'running' : failed ? 'failed' : 'succeeded',
    progress:
      progress === undefined ? null : { done: progress.done, total: progress.total ?? null, phase: progress.phase ?? null },
    started_at: new Date(startedAtMs).toISOString(),
    ended_at: ended === undefined ? null : new Date(ended.endedAtMs).toISOString(),
    answer_status: ended?.status ?? null,
    result: failed ? null : (ended?.body ?? null),
    problem: failed ? (ended.body as z.output<typeof OperationView>['problem']) : null,
  }
}

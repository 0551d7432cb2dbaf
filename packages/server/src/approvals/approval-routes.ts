import type { ApprovalBook, ApprovalEntry, Log } from '@backplane/kernel'
import type { OpenAPIHono, z } from '@hono/zod-openapi'
import { serverErrors } from '../errors.ts'
import type { Peer } from '../handler.ts'
import { definitions, type ApprovalView } from './approval-definitions.ts'

/** Adds what shows and decides the questions that wait for a person. Each decision is a line in the log. */
export function addApprovalRoutes(app: OpenAPIHono<{ Bindings: Peer }>, book: ApprovalBook, log: Log | undefined): void {
  const decide = (id: string, approved: boolean, reason: string | undefined, peer: Peer): z.output<typeof ApprovalView> => {
    const by = peer.caller?.name ?? 'unknown'
    const outcome = book.decide(id, { approved, by, ...(reason === undefined ? {} : { reason }) })
    if (outcome === undefined) throw unknown(id)
    if (!outcome.decided) throw decided(outcome.entry)
    const { plugin, sentence } = outcome.entry
    const fields = { approval: id, plugin, wanted: sentence, by }
    log?.write({ level: 'info', message: approved ? 'it was approved' : 'it was denied', fields })
    return approvalView(outcome.entry)
  }

  app.openapi(definitions.listApprovals, (context) => {
    const { limit = 100, ...query } = context.req.valid('query')
    const approvals = book.list({ ...query, limit }).map(approvalView)
    return context.json({ approvals, count: approvals.length }, 200, { 'Cache-Control': 'no-store' })
  })

  app.openapi(definitions.showApproval, (context) => {
    const { id } = context.req.valid('param')
    const entry = book.get(id)
    if (entry === undefined) throw unknown(id)
    return context.json(approvalView(entry), 200, { 'Cache-Control': 'no-store' })
  })

  app.openapi(definitions.approveCall, (context) => {
    const { reason } = context.req.valid('json') ?? {}
    return context.json(decide(context.req.valid('param').id, true, reason, context.env), 200)
  })

  app.openapi(definitions.denyCall, (context) => {
    const { reason } = context.req.valid('json') ?? {}
    return context.json(decide(context.req.valid('param').id, false, reason, context.env), 200)
  })
}

function unknown(id: string): Error {
  return serverErrors.error('SERVER_APPROVAL_UNKNOWN', { id })
}

function decided({ id, state, by, reason }: ApprovalEntry): Error {
  const how = by === null ? state : `${state} by ${by}`
  return serverErrors.error('SERVER_APPROVAL_DECIDED', { id, how }, { details: { state, by, reason } })
}

function approvalView(entry: ApprovalEntry): z.output<typeof ApprovalView> {
  const { id, plugin, version, point, name, method, sentence, input, state, by, reason, decidedAtMs } = entry
  return {
    id,
    plugin,
    version,
    point,
    name,
    method,
    sentence,
    input,
    state,
    asked_at: time(entry.askedAtMs),
    expires_at: time(entry.expiresAtMs),
    decided_at: decidedAtMs === null ? null : time(decidedAtMs),
    by,
    reason,
    trace_id: entry.traceId,
  }
}

function time(ms: number): string {
  return new Date(ms).toISOString()
}

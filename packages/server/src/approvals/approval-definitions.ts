import { createRoute, z } from '@hono/zod-openapi'
import { ChangeHeaders, json, problem } from '../api/route-parts.ts'

const Time = z.string().describe('RFC 3339, UTC.')
const State = z.enum(['pending', 'approved', 'denied', 'expired', 'cancelled', 'abandoned'])

/** Something critical that a plugin, or the host, wants to do, and what became of it. */
export const ApprovalView = z
  .object({
    id: z.string(),
    plugin: z.string().describe('Who wants it: the id of a plugin, or `host`.'),
    version: z.string().nullable(),
    point: z.string(),
    name: z.string().describe('Of the provider that would do it.'),
    method: z.string(),
    sentence: z.string().describe('Made by the host. To be read after "It wants to".'),
    input: z.unknown().describe('What the method would be given, without values of secrets.'),
    state: State.describe('`abandoned`: the host ended while it was open.'),
    asked_at: Time,
    expires_at: Time.describe('When nobody waits for the answer any more.'),
    decided_at: Time.nullable(),
    by: z.string().nullable().describe('Who decided it: the name of a token, or `unix socket`.'),
    reason: z.string().nullable(),
    trace_id: z.string(),
  })
  .openapi('Approval')

/** Some of them. */
export const ApprovalList = z.object({ approvals: z.array(ApprovalView), count: z.int() }).openapi('ApprovalList')

const params = z.object({ id: z.string().regex(/^[0-9a-f]{1,64}$/) })

const listApprovals = createRoute({
  method: 'get',
  path: '/api/approvals',
  summary: 'What waits for a person, and what was decided; newest first',
  request: {
    query: z.object({
      state: State.optional(),
      plugin: z.string().max(200).optional().describe('Who wants it: the id of a plugin, or `host`.'),
      limit: z.coerce.number().int().min(1).max(1_000).optional().describe('Default 100.'),
    }),
  },
  responses: { 200: json(ApprovalList, 'The questions.'), default: problem },
})

const showApproval = createRoute({
  method: 'get',
  path: '/api/approvals/{id}',
  summary: 'One question',
  request: { params },
  responses: { 200: json(ApprovalView, 'The question.'), default: problem },
})

const decision = <const Path extends string>(path: Path, summary: string) =>
  createRoute({
    method: 'post',
    path,
    summary,
    request: {
      params,
      headers: ChangeHeaders,
      body: { content: { 'application/json': { schema: z.strictObject({ reason: z.string().max(500).optional() }) } } },
    },
    responses: { 200: json(ApprovalView, 'As it was decided.'), default: problem },
  })

const approveCall = decision(
  '/api/approvals/{id}/approve',
  'Let it be done, once; 409 when it was decided already, or nobody waits',
)
const denyCall = decision('/api/approvals/{id}/deny', 'Refuse it; the reason is told to the plugin')

/** All of them. */
export const definitions = { listApprovals, showApproval, approveCall, denyCall } as const

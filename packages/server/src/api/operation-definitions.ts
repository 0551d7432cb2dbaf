import { createRoute, z } from '@hono/zod-openapi'
import { json, problem, ProblemView, text } from './route-parts.ts'

const Time = z.string().describe('RFC 3339, UTC.')
const id = z.object({ id: z.string().max(64) })

/** Longest a caller may wait for the end of an operation in one request, seconds. */
export const longestWaitSeconds = 60

/** A change that goes on after its request was answered. */
export const OperationView = z
  .object({
    id: z.string(),
    method: z.string().describe('Of the request that began it.'),
    path: z.string().describe('Of the request that began it.'),
    plugin: z.string().nullable().describe('The id of the plugin it changes; null when it is about all of them.'),
    status: z.enum(['running', 'succeeded', 'failed']),
    progress: z
      .object({ done: z.number(), total: z.number().nullable(), phase: z.string().nullable() })
      .nullable()
      .describe('How far it is; null for changes that do not tell.'),
    started_at: Time,
    ended_at: Time.nullable(),
    answer_status: z.int().nullable().describe('The HTTP status the request would have been answered with; null while it runs.'),
    result: z.unknown().describe('What it would have been answered with; null while it runs, and when it failed.'),
    problem: ProblemView.nullable().describe('Why it failed.'),
  })
  .openapi('Operation')

/** The answer of a change that goes on, to those who asked for it. */
export const later = {
  202: {
    ...json(OperationView, 'With `Prefer: respond-async`: the change goes on.'),
    headers: z.object({
      location: z.string().describe('Of the operation.'),
      'preference-applied': z.literal('respond-async'),
      'retry-after': z.string().describe('Seconds.'),
    }),
  },
} as const

/** Operations that are still known, newest first. */
export const OperationList = z.object({ operations: z.array(OperationView), count: z.int() }).openapi('OperationList')

const listOperations = createRoute({
  method: 'get',
  path: '/api/operations',
  summary: 'Changes that were begun with `Prefer: respond-async`, newest first',
  responses: {
    200: json(OperationList, 'Those still known.'),
    default: problem,
  },
})

const getOperation = createRoute({
  method: 'get',
  path: '/api/operations/{id}',
  summary: 'How a change goes; `wait` answers as soon as it has ended',
  request: {
    params: id,
    query: z.object({
      wait: z.coerce
        .number()
        .min(0)
        .max(longestWaitSeconds)
        .optional()
        .describe('Longest to wait for its end, seconds. Default 0.'),
    }),
  },
  responses: { 200: json(OperationView, 'The operation.'), default: problem },
})

const streamOperation = createRoute({
  method: 'get',
  path: '/api/operations/{id}/events',
  summary: 'How a change goes, as it happens (SSE): `operation` now and at each progress, `end` when it has ended',
  request: { params: id },
  responses: { 200: text('text/event-stream', 'Events; their data is the operation.'), default: problem },
})

/** All of them. */
export const definitions = { listOperations, getOperation, streamOperation } as const

import { createRoute, z } from '@hono/zod-openapi'
import { json, problem } from '../api/route-parts.ts'

const Outcome = z.enum(['asked', 'ok', 'refused', 'failed', 'noted'])

/** A record as it is kept: its canonical JSON is the line in the file. */
export const AuditRecordView = z
  .object({
    seq: z.int().describe('From 1, without gaps.'),
    at: z.string().describe('RFC 3339, UTC.'),
    actor: z.object({
      kind: z.enum(['token', 'plugin', 'host']),
      name: z.string(),
      scope: z.string().optional(),
      peer: z.string().optional(),
    }),
    action: z.string(),
    subject: z.string(),
    plugin: z.string().optional(),
    outcome: Outcome.describe('`asked` is followed by a record with the same `trace` that says what came of it.'),
    reason: z.string().optional(),
    trace: z.string().optional(),
    details: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])).optional(),
    prev: z.string().describe('Digest of the record before.'),
    digest: z.string(),
    mac: z.string().describe('Made with the key of the log.'),
  })
  .openapi('AuditRecord')

/** Some of the records. */
export const AuditPageView = z
  .object({
    records: z.array(AuditRecordView),
    next: z
      .int()
      .nullable()
      .describe('For `before` (or `after`) of the page that follows, which may be empty; null: all were seen.'),
  })
  .openapi('AuditPage')

/** What a check of the whole log came to. */
export const AuditReportView = z
  .object({
    ok: z.boolean(),
    records: z.int(),
    first: z.int(),
    last: z.int(),
    digest: z.string().describe('Of the last record; noted elsewhere, it shows later whether anything up to it was changed.'),
    checked: z.object({ key: z.boolean(), head: z.boolean() }),
    torn_bytes: z.int(),
    problems: z.array(
      z.object({
        kind: z.enum(['changed', 'removed', 'reordered', 'inserted', 'truncated', 'head']),
        seq: z.int(),
        line: z.int(),
        message: z.string(),
      }),
    ),
  })
  .openapi('AuditReport')

const Time = z.iso.datetime({ offset: true }).optional()
const Seq = z.coerce.number().int().min(0).optional()

const listAudit = createRoute({
  method: 'get',
  path: '/api/audit',
  summary: 'Who did what: newest first, or from `after` on; a token that needs `admin`',
  request: {
    query: z.object({
      plugin: z.string().max(200).optional(),
      actor: z.string().max(200).optional().describe('Name of a token, id of a plugin, or `host`.'),
      action: z.string().max(200).optional().describe('An action, or an area: `plugins.*`.'),
      outcome: Outcome.optional(),
      since: Time,
      until: Time,
      before: Seq.describe('Newest first, below this number.'),
      after: Seq.describe('Oldest first, above this number.'),
      limit: z.coerce.number().int().min(1).max(1_000).optional(),
    }),
  },
  responses: { 200: json(AuditPageView, 'The records.'), default: problem },
})

const verifyAudit = createRoute({
  method: 'post',
  path: '/api/audit/verify',
  summary: 'Check the whole audit log: what was changed, removed, reordered, inserted or cut off',
  responses: { 200: json(AuditReportView, 'What was found; `ok` says whether all is as it was written.'), default: problem },
})

/** All of them. */
export const definitions = { listAudit, verifyAudit } as const

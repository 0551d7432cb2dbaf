import { basename } from 'node:path'
import type { AuditTrail } from '@backplane/kernel'
import type { OpenAPIHono, z } from '@hono/zod-openapi'
import type { Peer } from '../handler.ts'
import { definitions, type AuditRecordView } from './audit-definitions.ts'

/** Adds what shows and checks the audit log. */
export function addAuditRoutes(app: OpenAPIHono<{ Bindings: Peer }>, trail: AuditTrail): void {
  app.openapi(definitions.listAudit, async (context) => {
    const { since, until, ...query } = context.req.valid('query')
    const { records, next } = await trail.page({ ...query, sinceMs: timeMs(since), untilMs: timeMs(until) })
    const views = records as readonly z.output<typeof AuditRecordView>[]
    return context.json({ records: [...views], next: next ?? null }, 200, { 'Cache-Control': 'no-store' })
  })

  app.openapi(definitions.verifyAudit, async (context) => {
    const { tornBytes, problems, checked, ...report } = await trail.verify()
    const found = problems.map(({ kind, seq, line, file, message }) => {
      return { kind, seq, line, message: message.replaceAll(file, basename(file)) }
    })
    const view = { ...report, checked: { ...checked }, torn_bytes: tornBytes, problems: found }
    return context.json(view, 200, { 'Cache-Control': 'no-store' })
  })
}

function timeMs(text: string | undefined): number | undefined {
  return text === undefined ? undefined : Date.parse(text)
}

import type { AuditPage, AuditQuery, AuditRecord } from '@backplane/kernel'
import { readLine } from './audit-chain.ts'
import { auditLines, type AuditFile } from './audit-files.ts'

/** Files that one page looks through at most: a search that finds little goes on with the next page. */
const mostFiles = 2
const usualLimit = 100
const mostRecords = 1_000

/** A page of the records up to number `last`, by their numbers; lines that are no records are passed over. */
export async function auditPage(files: readonly AuditFile[], last: number, query: AuditQuery): Promise<AuditPage> {
  const limit = Math.min(mostRecords, Math.max(1, query.limit ?? usualLimit))
  const isWanted = wanted(query)
  const forward = query.after !== undefined
  const after = query.after ?? 0
  const before = Math.min(query.before ?? Infinity, last + 1)
  const relevant = files.filter(({ first }, at) => {
    const next = files[at + 1]?.first ?? Infinity
    return forward ? next > after + 1 : first < before
  })
  const looked = forward ? relevant.slice(0, mostFiles) : relevant.slice(-mostFiles).toReversed()
  const records: AuditRecord[] = []
  for (const file of looked) {
    const room = limit + 1 - records.length
    if (room <= 0) break
    const found: AuditRecord[] = []
    for await (const record of recordsOf(file)) {
      const inRange = forward ? record.seq > after && record.seq <= last : record.seq < before
      if (!inRange || !isWanted(record)) continue
      found.push(record)
      if (forward && found.length >= room) break
      if (!forward && found.length > room) found.shift()
    }
    records.push(...(forward ? found : found.toReversed()))
  }
  const page = records.slice(0, limit)
  const more = records.length > limit ? page.at(-1)?.seq : nextFile(relevant, looked, forward)
  return { records: page, next: more }
}

/** Where the search goes on when not all files were looked through. */
function nextFile(relevant: readonly AuditFile[], looked: readonly AuditFile[], forward: boolean): number | undefined {
  if (looked.length >= relevant.length) return undefined
  if (!forward) return looked.at(-1)?.first
  const next = relevant[looked.length]?.first
  return next === undefined ? undefined : next - 1
}

async function* recordsOf({ path }: AuditFile): AsyncGenerator<AuditRecord> {
  for await (const lines of auditLines(path)) {
    for (const { text } of lines) {
      const read = readLine(text, undefined)
      if (read.kind !== 'nonsense') yield read.record
    }
  }
}

function wanted(query: AuditQuery): (record: AuditRecord) => boolean {
  const { plugin, actor, action, outcome, sinceMs = -Infinity, untilMs = Infinity } = query
  const area = action?.endsWith('.*') === true ? action.slice(0, -1) : undefined
  return (record) => {
    const atMs = Date.parse(record.at)
    return (
      (plugin === undefined || record.plugin === plugin) &&
      (actor === undefined || record.actor.name === actor) &&
      (action === undefined || (area === undefined ? record.action === action : record.action.startsWith(area))) &&
      (outcome === undefined || record.outcome === outcome) &&
      atMs >= sinceMs &&
      atMs < untilMs
    )
  }
}

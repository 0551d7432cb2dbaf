import type { Command } from 'commander'
import { backplaneErrors } from '../errors.ts'
import type { AuditPage, AuditRecord, AuditReport } from '../host-answers.ts'
import { show, type Runner, type Session } from '../session.ts'
import { highlight, printable, tableText } from '@backplane/terminal'
import { count, timeAgo } from './audit-options.ts'
import { examples } from './examples.ts'

interface FilterOptions {
  readonly plugin?: string
  readonly actor?: string
  readonly action?: string
  readonly outcome?: string
  readonly since?: string
  readonly until?: string
}

interface VerifyOptions {
  readonly file?: string
  readonly keyFile?: string
  readonly head?: string
}

/** Records of one page that are asked for. */
const pageSize = 500

/** Adds `audit`. */
export function addAudit(program: Command, run: Runner): void {
  const audit = program.command('audit').description('show, check and take out the audit log of a host: who did what')
  examples(audit, ['audit list --since 24h', 'audit verify', 'audit export > audit.jsonl', 'audit verify --file audit.jsonl'])
  addList(audit, run)
  addVerify(audit, run)
  addExport(audit, run)
}

function addList(audit: Command, run: Runner): void {
  const list = filtered(audit.command('list', { isDefault: true }).description('records, newest first')).option(
    '--limit <count>',
    'so many at most',
    count,
    50,
  )
  examples(list, [
    'audit list --plugin acme/s3 --limit 20',
    `audit list --action 'plugins.*' --since 7d`,
    'audit list --actor ci --outcome refused --since 2026-11-01T00:00:00Z',
    `audit list --action secret.read --json | jq -r '.records[] | .plugin + " " + .subject'`,
  ])
  list.action(
    run(async (session, { limit, ...filter }: FilterOptions & { readonly limit: number }) => {
      const records: AuditRecord[] = []
      for await (const record of recordsOf(session, filter, 'before')) {
        records.push(record)
        if (records.length >= limit) break
      }
      show(session, { records }, () => recordTable(records))
    }),
  )
}

function addVerify(audit: Command, run: Runner): void {
  const verify = audit
    .command('verify')
    .description('check the whole log; ends with 1 when anything was changed, removed, reordered, inserted or cut off')
    .option('--file <path>', 'a directory of the log, one of its files, or what was exported: checked here, without a host')
    .option('--key-file <path>', 'key of the log, for --file: finds records that were not written by the host')
    .option('--head <seq:digest>', 'where the log stood once, for --file: finds records that were taken off the end')
  examples(
    verify,
    [
      'audit verify',
      'audit verify --file /var/lib/hypersdk/audit --key-file /var/lib/hypersdk/audit.key',
      'audit verify --file audit.jsonl --head 4211:sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08',
    ],
    'Without --key-file and --head a file proves only that its records follow each other: whoever can write it can\nwrite it anew. A host knows both; its log (`the audit log stands at`) and this verb print heads to keep elsewhere.',
  )
  verify.action(
    run(async (session, options: VerifyOptions) => {
      if (options.file === undefined && (options.keyFile !== undefined || options.head !== undefined)) {
        throw backplaneErrors.error('BACKPLANE_USAGE', { reason: '--key-file and --head go with --file; a host knows its own' })
      }
      const report =
        options.file === undefined
          ? ((await session.api().post('/api/audit/verify')) as AuditReport)
          : await verifyFile(options.file, options)
      show(session, report, () => reportText(session, report))
      return report.ok ? 0 : 1
    }),
  )
}

function addExport(audit: Command, run: Runner): void {
  const take = filtered(
    audit.command('export').description('records as lines of JSON, oldest first, as they stand in the log'),
  ).option('--after <seq>', 'those after this number', count, 0)
  examples(
    take,
    ['audit export > audit.jsonl', 'audit export --after 4211 >> audit.jsonl', 'audit export --plugin acme/s3 --since 30d'],
    'A filter leaves records out, which a check of the file then misses.',
  )
  take.action(
    run(async (session, { after, ...filter }: FilterOptions & { readonly after: number }) => {
      const { canonicalJson } = await import('@backplane/storage')
      for await (const record of recordsOf(session, filter, 'after', after)) session.terminal.out(`${canonicalJson(record)}\n`)
    }),
  )
}

function filtered(command: Command): Command {
  return command
    .option('--plugin <id>', 'about this plugin')
    .option('--actor <name>', 'by this token, plugin or host')
    .option('--action <action>', `such as plugins.disable, or an area: 'plugins.*'`)
    .option('--outcome <outcome>', 'asked, ok, refused, failed or noted')
    .option('--since <when>', 'from a time on, or so long ago (7d, 12h, 30m)', timeAgo)
    .option('--until <when>', 'before a time, or so long ago', timeAgo)
}

async function* recordsOf(
  session: Session,
  filter: FilterOptions,
  step: 'before' | 'after',
  from?: number,
): AsyncGenerator<AuditRecord> {
  const api = session.api()
  let at = from
  do {
    const query = new URLSearchParams({ ...filter, limit: String(pageSize) })
    if (at !== undefined) query.set(step, String(at))
    const { records, next } = (await api.get('/api/audit', query)) as AuditPage
    yield* records
    at = next ?? undefined
  } while (at !== undefined)
}

async function verifyFile(path: string, { keyFile, head }: VerifyOptions): Promise<AuditReport> {
  const { auditFiles, auditKey, verifyAudit } = await import('@backplane/storage')
  const key = keyFile === undefined ? undefined : await auditKey(keyFile)
  const [, seq, digest = ''] = head === undefined ? [] : (/^(\d{1,15}):(sha256:[0-9a-f]{64})$/.exec(head) ?? [])
  if (head !== undefined && seq === undefined) {
    throw backplaneErrors.error('BACKPLANE_USAGE', { reason: '--head is a number, a colon and a digest: 4211:sha256:9f86…' })
  }
  const expected = seq === undefined ? undefined : { seq: Number(seq), digest }
  const { tornBytes, ...report } = await verifyAudit(await auditFiles(path), { key, head: expected })
  return { ...report, torn_bytes: tornBytes }
}

function reportText({ terminal }: Session, report: AuditReport): string {
  const { ok, records, first, last, digest, checked, torn_bytes, problems } = report
  const range = records === 0 ? 'no records' : `${records} records, ${first} to ${last}`
  const torn = torn_bytes === 0 ? '' : `${torn_bytes} bytes at the end are a record that was not written to its end\n`
  if (ok) {
    const unchecked = [...(checked.key ? [] : ['who wrote them']), ...(checked.head ? [] : ['whether the end was cut off'])]
    const without = unchecked.length === 0 ? '' : `not checked: ${unchecked.join(', ')}\n`
    return `${range}: as they were written\n${torn}${without}head ${last}:${digest}\n`
  }
  const lines = problems.map(
    ({ kind, message, file, line }) =>
      `${highlight(terminal, 'red', kind)}: ${printable(message)}${line > 0 ? printable(` (${file === undefined ? '' : `${file}:`}${line})`) : ''}\n`,
  )
  return `${range}: this is not the log that was written\n${lines.join('')}${torn}`
}

function recordTable(records: readonly AuditRecord[]): string {
  return tableText(records, [
    ['SEQ', ({ seq }) => seq],
    ['AT', ({ at }) => at],
    ['WHO', ({ actor }) => (actor.peer === undefined || actor.peer === 'unix' ? actor.name : `${actor.name} (${actor.peer})`)],
    ['ACTION', ({ action }) => action],
    ['SUBJECT', ({ subject }) => subject],
    ['OUTCOME', ({ outcome }) => outcome],
    ['REASON', ({ reason }) => reason ?? null],
  ])
}

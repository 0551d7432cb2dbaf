import { describePermissions, leastGrant, type PluginRecord, type UsedPermission } from '@backplane/kernel'
import { didYouMean } from '@backplane/sdk'
import { GrantsFile, type PermissionAnswers } from '@backplane/sources'
import { highlight, printable, printableJson, tableText } from '@backplane/terminal'
import { permissions as vocabulary } from '@exliar-vfio/points'
import type { Command } from 'commander'
import { shellQuoted } from '../../changes/shell-lines.ts'
import { exliarErrors } from '../../errors.ts'
import { examples } from '../examples.ts'
import type { Runner } from '../run-verb.ts'
import type { Session } from '../session.ts'
import { directory, recordOf, show } from './show-plugin.ts'

/** Adds what is done with a plugin's permissions: `permissions`, `approve`, `withhold`, `grants`. */
export function addPluginPermissions(plugins: Command, run: Runner): void {
  examples(
    plugins.command('permissions <plugin>').description('what a plugin asks for, what was answered, and what it used of that'),
    ['plugins permissions notifier', 'plugins permissions notifier --json | jq .least'],
    'Files and programs are watched in audit mode: plugins.audit of the configuration.\n',
  ).action(run(async (session, id: string) => showPermissions(session, await recordOf(session, id))))
  examples(
    plugins
      .command('approve <plugin> [permissions...]')
      .description(
        'approve what a plugin asks for, or what is named, after it was shown; what is withheld only when it is named',
      ),
    [
      'plugins approve local/my-plugin',
      "plugins approve notifier 'net:connect hooks.example.org'",
      'plugins approve local/my-plugin --grant-file reviewed.json',
    ],
  )
    .option('--grant-file <file>', 'approve and withhold exactly what this reviewed file lists; asks nobody')
    .action(
      run(async (session, id: string, named: readonly string[], { grantFile }: { grantFile?: string }) =>
        approve(session, id, { named, grantFile }),
      ),
    )
  examples(
    plugins
      .command('withhold <plugin> <permissions...>')
      .description('let a plugin run without permissions it asks for, each by its text; `approve` gives them back'),
    ["plugins withhold notifier 'net:connect hooks.example.org'"],
  ).action(run(async (session, id: string, named: readonly string[]) => withhold(session, id, named)))
  examples(
    plugins
      .command('grants [plugins...]')
      .description('the least grant that would have done so far, as a file for --grant-file (default: of all plugins)'),
    ['plugins grants notifier', 'plugins grants > reviewed.json'],
    'What nobody watched is kept, and told.\n',
  ).action(run(async (session, ids: readonly string[]) => proposeGrants(session, ids)))
}

interface ApproveFlags {
  readonly named: readonly string[]
  readonly grantFile: string | undefined
}

async function approve(session: Session, id: string, { named, grantFile }: ApproveFlags): Promise<number> {
  if (named.length > 0 && grantFile !== undefined) {
    throw exliarErrors.error('EXLIAR_USAGE', { reason: 'what is approved is named, or is in the --grant-file, not both' })
  }
  const record = await recordOf(session, id)
  const { trust } = await session.plugins()
  const withheld = trust.grants.withheldFrom(record.id)
  for (const one of named) checkAsked(record, one, withheld)
  const wanted = named.length > 0 ? named : askedBy(record).filter((one) => !withheld.includes(one))
  const answered = grantFile === undefined ? await askFor(session, record, wanted) : await reviewed(grantFile, record.id)
  if (answered === undefined) return 1
  const next = await permit(session, record, (before) => {
    if (grantFile !== undefined) return answered
    return {
      approved: [...before.approved, ...answered.approved],
      withheld: before.withheld.filter((one) => !answered.approved.includes(one)),
    }
  })
  show(session, await recordOf(session, record.id))
  const known = new Set([...next.approved, ...next.withheld])
  return next.countsAll || askedBy(record).every((one) => known.has(one)) ? 0 : 1
}

async function withhold(session: Session, id: string, named: readonly string[]): Promise<void> {
  const record = await recordOf(session, id)
  const { trust } = await session.plugins()
  for (const one of named) checkAsked(record, one, trust.grants.withheldFrom(record.id))
  await permit(session, record, ({ approved, withheld }) => ({ approved, withheld: [...withheld, ...named] }))
  await showPermissions(session, await recordOf(session, record.id))
}

/** Writes the answers, and lets the kernel look again: what serves with more than it may have is stopped, and started without. */
async function permit(
  session: Session,
  { id, version, origin, source }: PluginRecord,
  permitted: (before: PermissionAnswers) => PermissionAnswers,
): Promise<PermissionAnswers & { readonly countsAll: boolean }> {
  const { kernel, trust } = await session.plugins()
  const { env, signal } = session.terminal
  const countsAll = trust.admission.approved?.({ id, version, origin, source }) === undefined
  const answered = (before: PermissionAnswers): PermissionAnswers => {
    const next = permitted(before)
    // Where all it asks for counts as approved only what is withheld is kept.
    return countsAll ? { approved: before.approved, withheld: next.withheld } : next
  }
  await trust.grants.permit(id, answered, env['USER'] ?? 'somebody', signal)
  await kernel.plugins.refresh()
  await kernel.plugins.readmit()
  return { approved: trust.grants.permissionsOf(id) ?? [], withheld: trust.grants.withheldFrom(id), countsAll }
}

/** Undefined: nobody said yes. */
async function askFor(
  { terminal }: Session,
  { id, version }: PluginRecord,
  asked: readonly string[],
): Promise<PermissionAnswers | undefined> {
  if (terminal.ask === undefined) throw exliarErrors.error('EXLIAR_NOBODY_TO_ASK')
  for (const { sentence, risk, reason } of describePermissions(asked, vocabulary)) {
    const tone = risk === 'high' ? 'red' : risk === 'medium' ? 'yellow' : 'green'
    terminal.err(`${highlight(terminal, tone, risk.padEnd(7))} It may ${printable(sentence)}: ${printable(reason)}.\n`)
  }
  const answer = await terminal.ask(`Approve this for ${id} ${version}? [y/N] `)
  return /^y(es)?$/i.test(answer.trim()) ? { approved: asked, withheld: [] } : undefined
}

/** What a reviewed file lists for a plugin. Errors: `PLUGIN_NOT_REVIEWED`: who says nothing of it takes nothing from it. */
async function reviewed(path: string, id: string): Promise<PermissionAnswers> {
  const file = new GrantsFile(path)
  await file.load()
  const approved = file.permissionsOf(id)
  if (approved === undefined) throw exliarErrors.error('PLUGIN_NOT_REVIEWED', { file: file.path, plugin: id }, { plugin: id })
  return { approved, withheld: file.withheldFrom(id) }
}

function askedBy({ manifest }: PluginRecord): readonly string[] {
  return manifest?.permissions ?? []
}

/** Errors: `PERMISSION_NOT_ASKED` with the nearest that is. */
function checkAsked(record: PluginRecord, permission: string, withheld: readonly string[]): void {
  const known = [...askedBy(record), ...withheld]
  if (known.includes(permission)) return
  const suggestion = didYouMean(permission, known)
  throw exliarErrors.error('PERMISSION_NOT_ASKED', { plugin: record.id, permission, suggestion }, { plugin: record.id })
}

async function showPermissions(session: Session, record: PluginRecord): Promise<void> {
  const { id, version } = record
  const { trust } = await session.plugins()
  const uses = await (await directory(session)).uses(id)
  const approved = trust.admission.approved?.(record)
  const stateOf = (permission: string): 'withheld' | 'approved' | 'waits' => {
    if (trust.grants.withheldFrom(id).includes(permission)) return 'withheld'
    return approved === undefined || approved.includes(permission) ? 'approved' : 'waits'
  }
  const least = leastGrant(uses)
  const told = uses.permissions.map((one) => Object.assign({ state: stateOf(one.permission) }, one))
  session.show({ id, version, permissions: told, least }, () => {
    if (told.length === 0) return `${printable(`${id} ${version}`)} asks for nothing.\n`
    const table = tableText(told, [
      ['PERMISSION', ({ permission }) => permission],
      ['STATE', ({ state }) => state],
      ['USED', useText],
    ])
    const idle = least.unused.filter((permission) => stateOf(permission) !== 'withheld')
    const hint = idle.length === 0 ? '' : `Not needed so far: exliar plugins withhold ${id} ${idle.map(shellQuoted).join(' ')}\n`
    return `${table}${printable(hint.trimEnd())}${hint === '' ? '' : '\n'}`
  })
}

function useText({ used, watchedSinceMs, unknown }: UsedPermission): string {
  if (used !== undefined) {
    const who = used.by === 'plugin' ? ', by its own word' : ''
    const what = used.seen.length === 0 ? '' : `: ${used.seen.slice(0, 3).join(', ')}${used.seen.length > 3 ? ', …' : ''}`
    return `${used.count === 1 ? 'once' : `${used.count} times`}${who}${what}`
  }
  return watchedSinceMs === undefined ? `nobody can say: ${unknown ?? ''}` : 'never'
}

async function proposeGrants(session: Session, ids: readonly string[]): Promise<void> {
  const all = await directory(session)
  const records = ids.length === 0 ? all.list() : await Promise.all(ids.map((id) => recordOf(session, id)))
  const plugins: Record<string, { readonly permissions: readonly string[]; readonly withheld?: readonly string[] }> = {}
  for (const { id } of records) {
    const { used, unknown, unused } = leastGrant(await all.uses(id))
    if (used.length + unknown.length + unused.length === 0) continue
    const withheld = unused.length === 0 ? {} : { withheld: unused.toSorted() }
    plugins[id] = { permissions: [...used, ...unknown].toSorted(), ...withheld }
    for (const permission of unknown) session.warn(`${id}: ${permission} is kept, because nobody can say whether it was used`)
  }
  const file = { grantsVersion: 1, plugins }
  session.show(file, () => `${printableJson(file, 2)}\n`)
}

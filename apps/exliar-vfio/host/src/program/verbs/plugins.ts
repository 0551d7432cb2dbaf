import { cp, mkdir, rename, rm, stat } from 'node:fs/promises'
import { basename, join, resolve } from 'node:path'
import { describePermissions, type Kernel, type PluginRecord } from '@backplane/kernel'
import { GrantsFile } from '@backplane/sources'
import { highlight, listText, printable, tableText } from '@backplane/terminal'
import { permissions as vocabulary } from '@exliar-vfio/points'
import type { Command } from 'commander'
import { standardDirectories } from '../../config/exliar-config.ts'
import { exliarErrors } from '../../errors.ts'
import { examples } from '../examples.ts'
import { reasonOf } from '../plugin-reason.ts'
import type { Runner } from '../run-verb.ts'
import type { Session } from '../session.ts'

/** Adds `plugins` and what is done with one. */
export function addPlugins(program: Command, run: Runner): void {
  const plugins = program.command('plugins').description('the plugins of this program; ids are publisher/name, or the name alone')
  examples(plugins, ['plugins', 'plugins show nvidia-handler', 'plugins add ./my-plugin', 'plugins approve local/my-plugin'])
  plugins.action(run(async (session) => list(session)))
  examples(plugins.command('list').description('every plugin with its state'), ['plugins list', 'plugins list --json']).action(
    run(async (session) => list(session)),
  )
  examples(plugins.command('show <plugin>').description('one plugin: what it fills, what it may do, why it is as it is'), [
    'plugins show nvidia-handler',
  ]).action(run(async (session, id: string) => show(session, await recordOf(session, id))))
  examples(
    plugins
      .command('add <folder>')
      .description('copy a plugin into your plugin directory; it runs once what it asks for is approved'),
    ['plugins add ./my-plugin'],
  ).action(run(async (session, folder: string) => add(session, folder)))
  examples(plugins.command('approve <plugin>').description('approve what a plugin asks for, after it was shown'), [
    'plugins approve local/my-plugin',
    'plugins approve local/my-plugin --grant-file reviewed.json',
  ])
    .option('--grant-file <file>', 'approve exactly what this reviewed file lists; asks nobody')
    .action(run(async (session, id: string, { grantFile }: { grantFile?: string }) => approve(session, id, grantFile)))
  examples(plugins.command('disable <plugin>').description('let a plugin run no more, until it is enabled again'), [
    'plugins disable notifier',
    'plugins disable notifier --reason noise',
  ])
    .option('--reason <text>', 'why')
    .action(
      run(async (session, id: string, { reason }: { reason?: string }) =>
        show(session, await (await directory(session)).disable(id, reason)),
      ),
    )
  examples(plugins.command('enable <plugin>').description('let a disabled plugin run again'), ['plugins enable notifier']).action(
    run(async (session, id: string) => show(session, await (await directory(session)).enable(id))),
  )
}

async function directory(session: Session): Promise<Kernel['plugins']> {
  return (await session.plugins()).kernel.plugins
}

async function recordOf(session: Session, id: string): Promise<PluginRecord> {
  const plugins = await directory(session)
  const found = plugins.get(id)
  if (found === undefined) {
    throw exliarErrors.error('PLUGIN_NOT_THERE', {
      plugin: id,
      known: plugins
        .list()
        .map((one) => one.id)
        .join(', '),
    })
  }
  return found
}

async function list(session: Session): Promise<void> {
  const records = (await directory(session)).list()
  session.show({ plugins: records.map(asJson) }, () =>
    tableText(records, [
      ['PLUGIN', ({ id }) => id],
      ['VERSION', ({ version }) => version],
      ['STATE', ({ state }) => state.name],
      ['FROM', ({ origin }) => origin],
      ['WHY', reasonOf],
    ]),
  )
}

function asJson(record: PluginRecord): Readonly<Record<string, unknown>> {
  const { id, version, origin, path, state, manifest, notes, trust } = record
  return {
    id,
    version,
    origin,
    path,
    state: state.name,
    reason: reasonOf(record),
    description: manifest?.description ?? null,
    permissions: manifest?.permissions ?? [],
    contributes: manifest?.contributes ?? {},
    trust: trust ?? null,
    notes,
  }
}

function show(session: Session, record: PluginRecord): void {
  const asked = describePermissions(record.manifest?.permissions ?? [], vocabulary)
  session.show(asJson(record), () => {
    const filled = Object.entries(record.manifest?.contributes ?? {}).map(
      ([point, names]) => `${point}: ${Object.keys(names).join(', ')}`,
    )
    return (
      listText([
        ['plugin', record.id],
        ['version', record.version],
        ['state', `${record.state.name} ${reasonOf(record)}`.trim()],
        ['what', record.manifest?.description],
        ['path', record.path],
        ...filled.map((line): [string, string] => ['fills', line]),
        ...record.notes.map((note): [string, string] => ['note', note]),
      ]) +
      asked.map(({ risk, sentence }) => printable(`It may ${sentence} (${risk} risk).`)).join('\n') +
      (asked.length > 0 ? '\n' : '')
    )
  })
}

async function add(session: Session, folder: string): Promise<void> {
  const from = resolve(folder)
  if ((await stat(from).catch(() => undefined))?.isDirectory() !== true) {
    throw exliarErrors.error('PLUGIN_NOT_THERE', { plugin: folder, known: 'a folder with plugin.toml or plugin.json' })
  }
  if (basename(from) === '') throw exliarErrors.error('PLUGIN_FOLDER_NAMELESS', { folder: from })
  const [into = ''] = standardDirectories(session.terminal.env)
  const to = join(into, basename(from))
  await mkdir(into, { recursive: true })
  const staging = `${to}.incoming`
  await rm(staging, { recursive: true, force: true })
  await cp(from, staging, { recursive: true, dereference: false, errorOnExist: true })
  await rm(to, { recursive: true, force: true })
  await rename(staging, to)
  session.show(
    { added: to },
    () => `Copied to ${printable(to)}. \`exliar plugins\` shows it; approve what it asks for before it runs.\n`,
  )
}

async function approve(session: Session, id: string, grantFile: string | undefined): Promise<number> {
  const record = await recordOf(session, id)
  const { kernel, trust } = await session.plugins()
  const asked = record.manifest?.permissions ?? []
  const { terminal } = session
  const permissions = grantFile === undefined ? await askFor(session, record, asked) : await reviewed(grantFile, record.id)
  if (permissions === undefined) return 1
  await trust.grants.approve(record.id, permissions, terminal.env['USER'] ?? 'somebody', terminal.signal)
  await kernel.plugins.refresh()
  show(session, await recordOf(session, record.id))
  return asked.every((one) => permissions.includes(one)) ? 0 : 1
}

/** Undefined: nobody said yes. */
async function askFor(
  session: Session,
  { id, version }: PluginRecord,
  asked: readonly string[],
): Promise<readonly string[] | undefined> {
  const { terminal } = session
  for (const { sentence, risk, reason } of describePermissions(asked, vocabulary)) {
    const tone = risk === 'high' ? 'red' : risk === 'medium' ? 'yellow' : 'green'
    terminal.err(`${highlight(terminal, tone, risk.padEnd(7))} It may ${printable(sentence)}: ${printable(reason)}.\n`)
  }
  if (terminal.ask === undefined) throw exliarErrors.error('EXLIAR_NOBODY_TO_ASK')
  const answer = await terminal.ask(`Approve this for ${id} ${version}? [y/N] `)
  return /^y(es)?$/i.test(answer.trim()) ? asked : undefined
}

/** What a reviewed file lists for a plugin: nothing, where it is not in it. */
async function reviewed(path: string, id: string): Promise<readonly string[]> {
  const file = new GrantsFile(path)
  await file.load()
  return file.permissionsOf(id) ?? []
}

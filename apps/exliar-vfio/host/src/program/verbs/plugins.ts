import { cp, mkdir, readdir, rename, rm } from 'node:fs/promises'
import { basename, join, resolve } from 'node:path'
import { printable, tableText } from '@backplane/terminal'
import type { Command } from 'commander'
import { standardDirectories } from '../../config/exliar-config.ts'
import { exliarErrors } from '../../errors.ts'
import { errnoOf } from '../../machine/errno-of.ts'
import { examples } from '../examples.ts'
import { listedPlugin, listedPlugins } from '../listed-plugins.ts'
import { reasonOf } from '../plugin-reason.ts'
import type { Runner } from '../run-verb.ts'
import type { Session } from '../session.ts'
import { addPluginPermissions } from './plugin-permissions.ts'
import { asJson, directory, recordOf, show } from './show-plugin.ts'

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
  ]).action(
    run(async (session, id: string) => {
      const record = await recordOf(session, id)
      show(session, await listedPlugin(await directory(session), record, session.terminal.signal))
    }),
  )
  examples(
    plugins
      .command('add <folder>')
      .description('copy a plugin into your plugin directory; it runs once what it asks for is approved'),
    ['plugins add ./my-plugin'],
  ).action(run(async (session, folder: string) => add(session, folder)))
  addPluginPermissions(plugins, run)
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

async function list(session: Session): Promise<void> {
  const records = await listedPlugins(await directory(session), session.terminal.signal)
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

async function add(session: Session, folder: string): Promise<void> {
  const from = resolve(folder)
  const name = basename(from)
  // A hidden one would not be found there.
  if (name === '' || name.startsWith('.')) throw exliarErrors.error('PLUGIN_FOLDER_NAMELESS', { folder: from })
  const names = await readdir(from).catch(() => [])
  if (!names.some((one) => one === 'plugin.toml' || one === 'plugin.json')) {
    throw exliarErrors.error('PLUGIN_FOLDER_EMPTY', { folder: from })
  }
  const [into = ''] = standardDirectories(session.terminal.env)
  const to = join(into, name)
  try {
    await replaceFolder(from, { into, name })
  } catch (error) {
    throw exliarErrors.error('PLUGIN_NOT_COPIED', { folder: from, to, reason: errnoOf(error) }, { cause: error })
  }
  session.show(
    { added: to },
    () => `Copied to ${printable(to)}. \`exliar plugins\` shows it; approve what it asks for before it runs.\n`,
  )
}

/** Whole or not at all; what was there before stays until then. */
async function replaceFolder(from: string, { into, name }: { readonly into: string; readonly name: string }): Promise<void> {
  // Hidden from whoever looks for plugins meanwhile.
  const [to, staging, before] = [join(into, name), join(into, `.${name}.incoming`), join(into, `.${name}.before`)]
  await mkdir(into, { recursive: true })
  // An earlier attempt was killed after it had put this aside; where it had not, there is something in the way.
  await rename(before, to).catch(() => undefined)
  for (const left of [staging, before]) await rm(left, { recursive: true, force: true })
  try {
    // Links as they are written: made absolute they would lead back to where it came from.
    await cp(from, staging, { recursive: true, dereference: false, verbatimSymlinks: true, errorOnExist: true })
    await rename(to, before).catch((error: unknown) => {
      if (errnoOf(error) !== 'ENOENT') throw error
    })
    await rename(staging, to)
  } finally {
    await rm(staging, { recursive: true, force: true })
  }
  await rm(before, { recursive: true, force: true })
}

import type { Command } from 'commander'
import type { Permissions, Plugin, PluginList } from '../host-answers.ts'
import { sentencesText } from '../installing/plan-text.ts'
import { pluginPath, show, type Runner, type Session } from '../session.ts'
import { listText, tableText } from '@backplane/terminal'
import { examples } from './examples.ts'

/** Adds `plugins`. */
export function addPlugins(program: Command, run: Runner): void {
  const plugins = program.command('plugins').description('list the plugins of a host, or show one')
  examples(plugins, ['plugins list', 'plugins show libvirt'])
  const list = plugins.command('list', { isDefault: true }).description('list the plugins with their state')
  examples(list, ['plugins list', `plugins list --json | jq -r '.plugins[] | select(.status == "failed") | .reason'`])
  list.action(run(listPlugins))
  const listing = program.command('list').description('the same as `plugins list`')
  examples(listing, ['list', 'list --json'])
  listing.action(run(listPlugins))
  const info = program.command('info <plugin>').description('show a plugin in short, and in words what it may do')
  examples(info, ['info acme/s3'])
  info.action(run(showInfo))
  const one = plugins.command('show <plugin>').description('show one plugin in full')
  examples(one, ['plugins show libvirt', 'plugins show hypersdk/libvirt --json'])
  one.action(run(async (session, id: string) => showPlugin(session, await session.api().get(pluginPath(id)))))
}

async function listPlugins(session: Session): Promise<void> {
  const answer = (await session.api().get('/api/plugins')) as PluginList
  show(session, answer, () => pluginTable(answer.plugins))
}

async function showInfo(session: Session, id: string): Promise<void> {
  const plugin = (await session.api().get(pluginPath(id))) as Plugin & Readonly<Record<string, unknown>>
  const permissions = (await session.api().get(`${pluginPath(id)}/permissions`)) as Permissions
  const shown = ['id', 'version', 'description', 'author', 'license', 'status', 'reason', 'source', 'path', 'trust', 'tags']
  show(session, { ...plugin, permissions }, () => {
    const facts = listText(shown.map((name) => [name, plugin[name]]))
    const head = permissions.asked.length === 0 ? 'it asks for no permissions\n' : 'it asks to\n'
    return `${facts}${head}${sentencesText(session.terminal, permissions.asked)}`
  })
}

/** Shows a plugin as an answer came. */
export function showPlugin(session: Session, answer: unknown): void {
  show(session, answer, () => listText(Object.entries(answer as object)))
}

function pluginTable(plugins: readonly Plugin[]): string {
  return tableText(plugins, [
    ['PLUGIN', ({ id }) => id],
    ['VERSION', ({ version }) => version],
    ['STATUS', ({ status }) => status],
    ['STATE', ({ state }) => state],
    ['TIER', ({ tier }) => tier],
    ['GEN', ({ generation }) => generation],
    ['REASON', (one) => one.reason ?? versionReason(one)],
  ])
}

function versionReason({ held, pinned, update }: Plugin): string | null {
  if (held != null) return `${held.against.version} ${held.why}`
  if (pinned != null) return `pinned to ${pinned}`
  return update == null ? null : `update to ${update.version} failed: ${update.failure.message}`
}

import type { Command } from 'commander'
import type { Plugin, PluginList } from '../host-answers.ts'
import { pluginPath, show, type Runner, type Session } from '../session.ts'
import { listText, tableText } from '../terminal/table.ts'
import { examples } from './examples.ts'

/** Adds `plugins`. */
export function addPlugins(program: Command, run: Runner): void {
  const plugins = program.command('plugins').description('list the plugins of a host, or show one')
  examples(plugins, ['plugins list', 'plugins show libvirt'])
  const list = plugins.command('list', { isDefault: true }).description('list the plugins with their state')
  examples(list, ['plugins list', `plugins list --json | jq -r '.plugins[] | select(.status == "failed") | .reason'`])
  list.action(
    run(async (session) => {
      const answer = (await session.api().get('/api/plugins')) as PluginList
      show(session, answer, () => pluginTable(answer.plugins))
    }),
  )
  const one = plugins.command('show <plugin>').description('show one plugin in full')
  examples(one, ['plugins show libvirt', 'plugins show hypersdk/libvirt --json'])
  one.action(run(async (session, id: string) => showPlugin(session, await session.api().get(pluginPath(id)))))
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

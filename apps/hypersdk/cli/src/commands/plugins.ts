import type { Command } from 'commander'
import type { Plugin } from '../daemon-json.ts'
import { show, type Runner, type Session } from '../session.ts'
import { listText, printable, tableText } from '@backplane/terminal'
import { bareGroup } from './bare-group.ts'
import { examples } from './examples.ts'

interface PluginList {
  readonly plugins: readonly Plugin[]
}

interface Refresh {
  readonly added: readonly string[]
  readonly updated: readonly string[]
  readonly removed: readonly string[]
  readonly unchanged: number
  readonly failed: readonly { readonly id: string; readonly reason: string | null }[]
}

/** Adds `plugins`. */
export function addPluginCommands(program: Command, run: Runner): void {
  const plugins = program.command('plugins').description('the plugins of the daemon; ids are publisher/name, or the name alone')
  const first = ['plugins', 'plugins get libvirt', 'plugins reload', `plugins disable digitalocean --reason 'token rotated'`]
  examples(plugins, first)
  addReads(plugins, run)
  addChanges(plugins, run)
}

function addReads(plugins: Command, run: Runner): void {
  bareGroup(plugins, run(listPlugins))
  const list = plugins.command('list').description('list plugins with their state')
  examples(list, ['plugins list', `plugins list --json | jq -r '.plugins[] | select(.status == "failed") | .reason'`])
  list.action(run(listPlugins))
  const get = plugins.command('get <id>').description('show one plugin in full')
  examples(get, ['plugins get libvirt', 'plugins get hypersdk/libvirt --json'])
  get.action(run(async (session, id: string) => showPlugin(session, await session.api.get(path(id)))))
  const search = plugins.command('search <text...>').description('find plugins by id, description, tag or what they contribute')
  examples(search, ['plugins search cloud', 'plugins search hypersdk.provider'])
  search.action(
    run(async (session, words: string[]) => {
      const query = new URLSearchParams({ q: words.join(' ') })
      const answer = (await session.api.get('/api/plugins/search', query)) as PluginList
      show(session, answer, () => pluginTable(answer.plugins))
    }),
  )
  const stats = plugins.command('stats').description('count plugins by status')
  examples(stats, ['plugins stats', 'plugins stats --json'])
  stats.action(
    run(async (session) => {
      const answer = await session.api.get('/api/plugins/stats')
      show(session, answer, () => listText(Object.entries(answer as object)))
    }),
  )
}

function addChanges(plugins: Command, run: Runner): void {
  const reload = plugins
    .command('reload [id]')
    .description('look at the plugin directories again, or start one plugin anew beside its running generation')
  examples(reload, ['plugins reload', 'plugins reload libvirt'], 'Ends with 1 when a plugin that was looked at failed.')
  reload.action(
    run(async (session, id: string | undefined) => {
      if (id !== undefined) return showPlugin(session, await session.api.post(`${path(id)}/reload`))
      return showRefresh(session, (await session.api.post('/api/plugins/reload')) as Refresh)
    }),
  )
  const enable = plugins.command('enable <id>').description('enable a disabled plugin')
  examples(enable, ['plugins enable digitalocean'])
  enable.action(run(async (session, id: string) => showPlugin(session, await session.api.post(`${path(id)}/enable`))))
  const disable = plugins
    .command('disable <id>')
    .description('drain and stop a plugin until it is enabled again')
    .option('--reason <text>', 'kept with its state')
  examples(disable, ['plugins disable digitalocean', `plugins disable digitalocean --reason 'token rotated'`])
  disable.action(
    run(async (session, id: string, { reason }: { reason?: string }) =>
      showPlugin(session, await session.api.post(`${path(id)}/disable`, reason === undefined ? undefined : { reason })),
    ),
  )
  const release = plugins.command('release <id>').description('let a plugin out of quarantine; its next call starts it')
  examples(
    release,
    ['plugins release acme/vault'],
    'Without that it stays there, also over restarts, until another version comes.',
  )
  release.action(run(async (session, id: string) => showPlugin(session, await session.api.post(`${path(id)}/release`))))
  const remove = plugins
    .command('remove <id>')
    .description('drain, stop and forget a plugin; its files stay')
    .option('--keep-state', 'keep what it stored')
    .option('--force', 'also while a provider or an export uses it: what it is at is ended')
  examples(remove, ['plugins remove acme/vault', 'plugins remove acme/vault --keep-state --force'])
  remove.action(
    run(async (session, id: string, { keepState = false, force = false }: { keepState?: boolean; force?: boolean }) => {
      await session.api.delete(
        path(id),
        new URLSearchParams({ keep_state: String(keepState), ...(force ? { force: 'true' } : {}) }),
      )
      show(session, { removed: id }, () => `${id} removed\n`)
    }),
  )
}

async function listPlugins(session: Session): Promise<void> {
  const answer = (await session.api.get('/api/plugins')) as PluginList
  show(session, answer, () => pluginTable(answer.plugins))
}

/** The slash stays escaped, so that an id is one segment. */
function path(id: string): string {
  return `/api/plugins/${encodeURIComponent(id)}`
}

function pluginTable(plugins: readonly Plugin[]): string {
  return tableText(plugins, [
    ['ID', (one) => one.id],
    ['VERSION', (one) => one.version],
    ['TYPE', (one) => one.type],
    ['STATUS', (one) => one.status],
    ['STATE', (one) => one.state],
    ['TIER', (one) => one.tier],
    ['GEN', (one) => one.generation],
    ['REASON', (one) => one.reason ?? updateReason(one)],
  ])
}

function updateReason({ update }: Plugin): string | null {
  return update == null ? null : `update to ${update.version} failed: ${update.failure.message}`
}

function showPlugin(session: Session, answer: unknown): void {
  show(session, answer, () => listText(Object.entries(answer as object)))
}

function showRefresh(session: Session, answer: Refresh): number {
  show(session, answer, () => {
    const { failed, unchanged, ...changes } = answer
    return listText([...Object.entries(changes), ['unchanged', unchanged], ['failed', failed.map(({ id }) => id)]])
  })
  for (const { id, reason } of answer.failed) session.terminal.err(`${printable(`${id}: ${reason ?? 'failed'}`)}\n`)
  return answer.failed.length > 0 ? 1 : 0
}

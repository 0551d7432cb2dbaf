import type { PluginView } from './plugin-view.ts'

/** A plugin and the words it may be found by beside its id. */
export interface Searchable {
  readonly view: PluginView
  readonly tags: readonly string[]
  readonly contributes: readonly string[]
}

/**
 * Plugins that match every word of `query`, best first: name, then id, type and tags, then what it contributes, then
 * description; equals before beginnings before parts. Letter case does not count.
 */
export function searchPlugins(plugins: readonly Searchable[], query: string): PluginView[] {
  const words = query.toLowerCase().split(/\s+/).filter(Boolean)
  return plugins
    .map((plugin) => ({ view: plugin.view, score: scoreAll(plugin, words) }))
    .filter(({ score }) => score > 0)
    .sort((a, b) => b.score - a.score || (a.view.id < b.view.id ? -1 : 1))
    .map(({ view }) => view)
}

function scoreAll(plugin: Searchable, words: readonly string[]): number {
  const scores = words.map((word) => scoreOne(plugin, word))
  return scores.includes(0) ? 0 : scores.reduce((sum, one) => sum + one, 0)
}

function scoreOne({ view, tags, contributes }: Searchable, word: string): number {
  return Math.max(
    40 * match(view.name, word),
    ...[view.id, view.type ?? '', ...tags].map((text) => 20 * match(text, word)),
    ...contributes.map((text) => 10 * match(text, word)),
    5 * match(view.description ?? '', word),
  )
}

function match(text: string, word: string): number {
  const lower = text.toLowerCase()
  if (lower === word) return 3
  if (lower.startsWith(word)) return 2
  return lower.includes(word) ? 1 : 0
}

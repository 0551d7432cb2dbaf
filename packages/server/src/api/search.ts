import type { PluginView } from './plugin-view.ts'

/** A plugin and the words it may be found by beside its id. */
export interface Searchable {
  readonly view: PluginView
  readonly tags: readonly string[]
  readonly contributes: readonly string[]
}

/** What is looked for; what is not said does not count. */
export interface SearchQuery {
  readonly text: string | undefined
  readonly type: string | undefined
  /** One of them is enough. */
  readonly tags: readonly string[] | undefined
}

/**
 * Plugins that match every word of the text, best first: name, then id, type and tags, then what it contributes, then
 * description; equals before beginnings before parts. Without a text, all of the type and tags, by id. Letter case does not count.
 */
export function searchPlugins(plugins: readonly Searchable[], { text, type, tags }: SearchQuery): PluginView[] {
  const words = text?.toLowerCase().split(/\s+/).filter(Boolean)
  return plugins
    .filter(({ view }) => type === undefined || view.type?.toLowerCase() === type.toLowerCase())
    .filter((plugin) => tags === undefined || tags.some((tag) => has(plugin.tags, tag)))
    .map((plugin) => ({ view: plugin.view, score: words === undefined ? 1 : scoreAll(plugin, words) }))
    .filter(({ score }) => score > 0)
    .sort((a, b) => b.score - a.score || (a.view.id < b.view.id ? -1 : 1))
    .map(({ view }) => view)
}

function has(tags: readonly string[], wanted: string): boolean {
  return tags.some((tag) => tag.toLowerCase() === wanted.toLowerCase())
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

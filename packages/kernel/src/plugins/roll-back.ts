import type { Core } from '../core.ts'
import { kernelErrors } from '../errors.ts'
import type { Plugin } from './plugin.ts'
import { type Offered, recalled } from './selection.ts'
import type { HistoryEntry } from '../record.ts'
import { candidateOf } from '../stages/candidate.ts'
import type { Discovered } from '../stages/discover.ts'

/**
 * Decides that an earlier version serves instead of what the sources have; the next look at the sources puts it in place.
 * Errors: `VERSION_PINNED`, `VERSION_UNKNOWN`, `VERSION_GONE`.
 */
export async function rollBack(core: Core, plugin: Plugin, to: string | undefined, offered: Offered | undefined): Promise<void> {
  const pinned = core.choices.pinned(plugin.id)
  const about = { plugin: plugin.id }
  if (pinned !== undefined) throw kernelErrors.error('VERSION_PINNED', { ...about, version: pinned }, about)
  const entries = await core.history.list(plugin.id)
  const target = entries.find((entry) => isTarget(plugin, entry, to))
  if (target?.digest === undefined || offered === undefined) {
    const wanted = to === undefined ? 'earlier version' : `version ${to}`
    throw kernelErrors.error('VERSION_UNKNOWN', { ...about, wanted }, about)
  }
  const { version, digest } = target
  const [first] = offered
  if (digestOfOffered(core, plugin, first) === digest) {
    plugin.rejected = undefined
    return core.choices.release(plugin.id)
  }
  const candidate = await recalled(core, plugin.id, { digest, like: first }, core.stopping)
  if (candidate === undefined || first.found === undefined) throw kernelErrors.error('VERSION_GONE', { ...about, version }, about)
  plugin.rejected = undefined
  const against = { version: candidateOf(plugin.id, first, core).version, ...digestMember(digestOfOffered(core, plugin, first)) }
  const sinceMs = core.clock.now()
  const { fingerprint } = first.found
  await core.choices.hold(plugin.id, { why: 'rolled back', to: { version, digest }, against, sinceMs, fingerprint }, true)
}

/** The newest entry of a version that served and does not serve now; asked for by name, any of it. */
function isTarget({ digest, candidate }: Plugin, entry: HistoryEntry, to: string | undefined): boolean {
  if (entry.outcome === 'failed' || entry.digest === undefined) return false
  const serves = entry.digest === digest && entry.version === candidate.version
  if (to !== undefined) return entry.version === to && !serves
  return !serves && (entry.outcome === 'replaced' || entry.outcome === 'serving')
}

/** Of what the sources have now, where the bytes were read before. */
function digestOfOffered(core: Core, plugin: Plugin, { found }: Discovered): string | undefined {
  const held = core.choices.held(plugin.id)
  if (held !== undefined && held.fingerprint === found?.fingerprint) return held.against.digest
  return plugin.candidate.found.fingerprint === found?.fingerprint ? plugin.candidate.staged?.digest : undefined
}

function digestMember(digest: string | undefined): { readonly digest?: string } {
  return digest === undefined ? {} : { digest }
}

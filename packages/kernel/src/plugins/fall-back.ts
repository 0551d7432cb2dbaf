import type { Core } from '../core.ts'
import { bindAs } from './bind-as.ts'
import type { Generation } from './generation.ts'
import { messageOf } from '../calls/thrown.ts'
import { serve, startWithDependencies } from './lifecycle.ts'
import type { Candidate, Plugin } from './plugin.ts'
import { noteRejected } from './rejection.ts'
import { digestOf, isRecalled, lastServed, recalled } from './selection.ts'
import { noteMovedBack } from './move-back.ts'
import type { Failure, Hold } from '../record.ts'
import { offers, requiredOf } from '../stages/capabilities.ts'
import type { StageResult } from '../stages/stage-result.ts'

/**
 * A version that never served could not be started, and nothing serves beside it: the host may have ended in the middle of
 * an update. The version that served last is started in its place, from what is kept of it. Undefined when there is none.
 * Only within the plugin's turn.
 */
export async function fallBack(core: Core, plugin: Plugin, failure: Failure): Promise<StageResult<Generation> | undefined> {
  const { candidate } = plugin
  if (isRecalled(candidate) || core.choices.pinned(plugin.id) !== undefined || core.stopping.aborted) return undefined
  const digest = await digestOf(core, candidate)
  const last = digest === undefined ? undefined : await lastServed(core, plugin.id, digest)
  if (digest === undefined || last === undefined || core.supervisor.quarantines.entry(plugin.id)?.version === last.version)
    return undefined
  const like = { source: candidate.source, path: candidate.found.path }
  const to = await recalled(core, plugin.id, { digest: last.digest, like }, core.stopping)
  if (to === undefined || to.failure !== undefined || to.denied !== undefined) return undefined
  return startInstead(core, plugin, { to, last, failure, digest })
}

interface FallBack {
  readonly to: Candidate
  readonly last: Hold['to']
  readonly failure: Failure
  readonly digest: string
}

async function startInstead(
  core: Core,
  plugin: Plugin,
  { to, last, failure, digest }: FallBack,
): Promise<StageResult<Generation> | undefined> {
  const { candidate } = plugin
  to.needs = needsOf(core, to)
  plugin.generation += 1
  try {
    bindAs(core, plugin, to)
    const result = await startWithDependencies(core, plugin, to)
    if (result.ok) {
      const trial = core.trials.of(plugin.id)
      if (trial?.newer.digest === digest) {
        const evidence = `it does not start any more: ${failure.message}`
        noteMovedBack(core, plugin, { candidate, digest, older: last, finding: { reason: 'ended', evidence } })
        serve(core, plugin, result.value, { outcome: 'moved back', reason: evidence })
        return { ok: true, value: result.value.generation }
      }
      core.events.record({ type: 'plugin.update-failed', plugin: plugin.id, version: candidate.version, failure })
      core.inBackground(plugin, noteRejected(core, plugin, { candidate, failure, why: 'failed', digest, to: last }))
      serve(core, plugin, result.value)
      return { ok: true, value: result.value.generation }
    }
    bindAs(core, plugin, candidate)
    noteNeither(core, plugin, last, result.failure.message)
  } catch (error) {
    plugin.candidate = candidate
    noteNeither(core, plugin, last, messageOf(error))
  }
  return undefined
}

/** What there is of what kept bytes need, which nobody resolved among the others. */
function needsOf(core: Core, candidate: Candidate): readonly string[] {
  const others = [...core.plugins.values()].filter(({ id, usable }) => id !== candidate.id && usable)
  const providers = requiredOf(candidate).flatMap(([capability, range]) => {
    return others.find((other) => offers(other.candidate, capability, range)) ?? []
  })
  const dependencies = (candidate.declared?.dependencies ?? []).filter(({ id }) => core.plugins.has(id))
  return [...new Set([...dependencies, ...providers].map(({ id }) => id))]
}

function noteNeither(core: Core, { id }: Plugin, { version }: Hold['to'], reason: string): void {
  const message = `${version}, which served before, does not start either: ${reason}`
  core.log.write({ level: 'error', message, plugin: id })
}

import type { Core } from '../core.ts'
import { bindAs } from './bind-as.ts'
import type { Ending } from './history.ts'
import { messageOf } from '../calls/thrown.ts'
import { serve, setState, startWithDependencies } from './lifecycle.ts'
import type { Candidate, Plugin } from './plugin.ts'
import { type Predecessor, trialOf } from './probation.ts'
import { handOver, prove } from './prove.ts'
import { noteRejected } from './rejection.ts'
import type { Failure } from '../record.ts'
import { failureOf } from '../stages/stage-result.ts'
import { stop } from '../stages/stop.ts'
import type { Started } from '../stages/start.ts'
import { retire } from '../upgrade.ts'

/** How a package takes the place of the one that serves. */
export interface TakeOver {
  /** Whether the new one is watched, and may be taken back, for a while. */
  readonly onProbation: boolean
  /** How what serves now ends by that. */
  readonly ending: Ending
}

/**
 * Starts a package beside what serves, lets it prove itself and be handed what only the old one knows, and moves the calls
 * over in one step. Whatever fails on the way, the old one has gone on serving and the record says why. Only within the
 * plugin's turn. Answers whether it took over.
 */
export async function succeed(core: Core, plugin: Plugin, candidate: Candidate, how: TakeOver): Promise<boolean> {
  if (candidate.failure !== undefined) return reject(core, plugin, candidate, candidate.failure)
  plugin.generation += 1
  const result = await startWithDependencies(core, plugin, candidate)
  if (!result.ok) return reject(core, plugin, candidate, result.failure)
  const { generation } = result.value
  const before = core.trials.of(plugin.id)
  const watched = plugin.probation
  try {
    await prove(core, generation)
    await handOver(core, plugin.serving, generation)
    const { place } = result.value
    const expected = predecessor(core, plugin, result.value, how)
    if (expected !== undefined) await core.trials.begin(plugin.id, trialOf(result.value, expected))
    if (!place.isStale()) await place.commit()
    if (place.isStale()) {
      // the version before was taken back meanwhile: begin again, from what it has
      await stop(core, generation)
      await discard(core, plugin, result.value)
      return await succeed(core, plugin, candidate, how)
    }
    // what serves may have been moved back while that was written
    const older = predecessor(core, plugin, result.value, how)
    switchTo(core, plugin, result.value, { ending: how.ending, older })
    place.taken()
    if (older === undefined) await core.trials.end(plugin.id)
    else if (older.started !== expected?.started) await core.trials.begin(plugin.id, trialOf(result.value, older))
    return true
  } catch (error) {
    const isWatchedStill = before !== undefined && plugin.probation === watched
    if (!isWatchedStill) await core.trials.end(plugin.id)
    else if (core.trials.of(plugin.id) !== before) await core.trials.begin(plugin.id, before)
    await stop(core, generation)
    await discard(core, plugin, result.value)
    return reject(core, plugin, candidate, core.redactor.value(failureOf('start', error)) as Failure)
  }
}

/** Why an update failed is told also when what it stored cannot be put away. */
async function discard({ log }: Core, { id }: Plugin, { place }: Started): Promise<void> {
  try {
    await place.discard()
  } catch (error) {
    log.write({ level: 'error', message: `its state cannot be put in order: ${messageOf(error)}`, plugin: id })
  }
}

/** What a package is to be compared with once it serves; undefined where it is not watched. */
function predecessor(core: Core, plugin: Plugin, newer: Started, { onProbation }: TakeOver): Predecessor | undefined {
  const { standing, serving } = plugin
  const isOther = standing !== undefined && standing.digest !== newer.digest
  if (!onProbation || !isOther || serving === undefined || core.times.probationMs <= 0) return undefined
  const { conduct, exceeded, candidate } = standing.generation
  const { faultPercent, timed } = conduct
  const figures = { faultPercent, timed, p99Ms: conduct.p99Ms(), exceeded: [...exceeded] }
  return { version: candidate.version, digest: standing.digest, started: standing, figures }
}

/** In one step, so that every call by name reaches either the old generation or the new one. Throws with nothing changed. */
function switchTo(
  core: Core,
  plugin: Plugin,
  started: Started,
  { ending, older }: { readonly ending: Ending; readonly older: Predecessor | undefined },
): void {
  const { candidate, number } = started.generation
  const { candidate: old } = plugin
  const before = plugin.serving
  bindAs(core, plugin, candidate)
  plugin.probation?.[Symbol.dispose]()
  plugin.probation = undefined
  plugin.rejected = undefined
  plugin.update = undefined
  if (before === undefined) setState(core, plugin, { name: 'starting', generation: number })
  serve(core, plugin, started, ending)
  const versions = { from: old.version, to: candidate.version }
  core.events.record({ type: 'plugin.updated', plugin: plugin.id, ...versions, generation: number })
  if (before === undefined) return
  if (older !== undefined) core.watch(plugin, started, older)
  core.inBackground(plugin, retire(core, before, `generation ${number} (${candidate.version}) took over`))
}

function reject(core: Core, plugin: Plugin, candidate: Candidate, failure: Failure): false {
  const { standing } = plugin
  const { version } = plugin.candidate
  plugin.rejected = candidate
  if (standing !== undefined) {
    const to = { version, digest: standing.digest }
    core.inBackground(
      plugin,
      noteRejected(core, plugin, { candidate, failure, why: 'failed', digest: candidate.staged?.digest, to }),
    )
  }
  core.events.record({ type: 'plugin.update-failed', plugin: plugin.id, version: candidate.version, failure })
  core.log.write({ level: 'error', message: `${candidate.version} could not take over: ${failure.message}`, plugin: plugin.id })
  return false
}

import type { Core } from '../core.ts'
import { kernelErrors } from '../errors.ts'
import { activate, serve, setState, startWithDependencies } from './lifecycle.ts'
import type { Ending } from './history.ts'
import { messageOf } from '../calls/thrown.ts'
import type { Candidate, Plugin } from './plugin.ts'
import { Probation } from './probation.ts'
import { handOver, prove } from './prove.ts'
import type { Finding } from './regression.ts'
import { noteRejected } from './rejection.ts'
import type { Failure } from '../record.ts'
import { failureOf } from '../stages/stage-result.ts'
import { stop } from '../stages/stop.ts'
import type { Started } from '../stages/start.ts'
import { retire, takeBack } from '../upgrade.ts'

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
  try {
    await prove(core, generation)
    await handOver(core, plugin.serving, generation)
    const { place } = result.value
    if (!place.isStale()) await place.commit()
    if (place.isStale()) {
      // the version before was taken back meanwhile: begin again, from what it has
      await stop(core, generation)
      await place.discard()
      return await succeed(core, plugin, candidate, how)
    }
    switchTo(core, plugin, result.value, how)
    result.value.place.taken()
    return true
  } catch (error) {
    await stop(core, generation)
    await result.value.place.discard()
    return reject(core, plugin, candidate, core.redactor.value(failureOf('start', error)) as Failure)
  }
}

/** In one step, so that every call by name reaches either the old generation or the new one. Throws with nothing changed. */
function switchTo(core: Core, plugin: Plugin, started: Started, { onProbation, ending }: TakeOver): void {
  const { candidate, number } = started.generation
  const { candidate: old, standing } = plugin
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
  const isOther = standing !== undefined && standing.digest !== started.digest
  if (onProbation && isOther && core.times.probationMs > 0) watch(core, plugin, started, standing)
  core.inBackground(plugin, retire(core, before, `generation ${number} (${candidate.version}) took over`))
}

/** Makes what a package declares reachable in place of what the one before it declared. Errors: `POINT_CONFLICT`. */
export function bindAs(core: Core, plugin: Plugin, candidate: Candidate): void {
  const { candidate: old } = plugin
  core.points.unbind(plugin)
  plugin.candidate = candidate
  plugin.limits = undefined
  try {
    core.points.bind(plugin)
  } catch (error) {
    plugin.candidate = old
    core.points.bind(plugin)
    throw error
  }
}

function watch(core: Core, plugin: Plugin, newer: Started, older: Started): void {
  const { candidate, number } = newer.generation
  plugin.probation = new Probation(core, {
    newer,
    older,
    worse: (finding) => moveBack(core, plugin, { newer, older, finding }),
    passed: () => {
      plugin.probation = undefined
      core.events.record({ type: 'plugin.proved', plugin: plugin.id, version: candidate.version, generation: number })
    },
  })
}

interface Retreat {
  readonly newer: Started
  readonly older: Started
  readonly finding: Finding
}

/** Lets the version before serve again: the generation that was kept warm, or a fresh one of the same bytes. */
function moveBack(core: Core, plugin: Plugin, retreat: Retreat): void {
  const { newer, older, finding } = retreat
  const isWarm = older.generation.ended === undefined
  plugin.probation = undefined
  if (!isWarm && newer.generation.ended === undefined) {
    core.inBackground(plugin, moveBackAfresh(core, plugin, retreat))
    return
  }
  try {
    bindAs(core, plugin, older.generation.candidate)
  } catch (error) {
    older.generation.warm?.resolve()
    noteStuck(core, plugin, finding, messageOf(error))
    return
  }
  if (takeBack(older.generation)) {
    core.states.goBack(older.place.slot)
    serve(core, plugin, older, endingOf(finding))
  }
  noteMovedBack(core, plugin, retreat)
  core.inBackground(plugin, retire(core, newer.generation, `the version before serves again: ${finding.evidence}`))
  if (!isWarm) core.inBackground(plugin, startWhenDown(core, plugin))
}

/** The old generation has ended and the new one still runs: it is replaced like by any other version. */
async function moveBackAfresh(core: Core, plugin: Plugin, retreat: Retreat): Promise<void> {
  const { finding, newer, older } = retreat
  const { candidate } = older.generation
  plugin.incoming = candidate
  await plugin.inTurn(async () => {
    try {
      if (plugin.incoming !== candidate || plugin.serving !== newer.generation) return
      if (await succeed(core, plugin, candidate, { onProbation: false, ending: endingOf(finding) }))
        noteMovedBack(core, plugin, retreat)
      else noteStuck(core, plugin, finding, 'the version before does not start any more')
    } finally {
      if (plugin.incoming === candidate) plugin.incoming = undefined
    }
  })
}

/** What was found is told all the same. */
function noteStuck(core: Core, plugin: Plugin, { evidence }: Finding, reason: string): void {
  core.log.write({ level: 'error', message: `it cannot be moved back (${reason}), though ${evidence}`, plugin: plugin.id })
}

/** Both generations have ended; nobody waits for the next call. What comes of it is in the record. */
async function startWhenDown(core: Core, plugin: Plugin): Promise<void> {
  await Promise.resolve()
  if (plugin.usable && plugin.serving === undefined) await activate(core, plugin).catch(() => undefined)
}

function noteMovedBack(core: Core, plugin: Plugin, { newer, older, finding }: Retreat): void {
  const { candidate } = newer.generation
  const { reason, evidence } = finding
  const versions = { plugin: plugin.id, from: candidate.version, to: older.generation.candidate.version }
  const error = kernelErrors.error('UPDATE_MOVED_BACK', { ...versions, evidence }, { plugin: plugin.id })
  const failure = failureOf('probation', error)
  const to = { version: versions.to, digest: older.digest }
  core.inBackground(plugin, noteRejected(core, plugin, { candidate, failure, why: 'moved back', digest: newer.digest, to }))
  core.events.record({ type: 'plugin.moved-back', ...versions, reason, evidence })
  core.log.write({ level: 'error', message: error.message, plugin: plugin.id })
}

function endingOf({ evidence }: Finding): Ending {
  return { outcome: 'moved back', reason: evidence }
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

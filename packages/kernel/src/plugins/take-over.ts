import type { Core } from '../core.ts'
import { kernelErrors } from '../errors.ts'
import { activate, serve, setState, startNow, startWithDependencies } from './lifecycle.ts'
import type { Ending } from './history.ts'
import { messageOf } from '../calls/thrown.ts'
import type { Candidate, Plugin } from './plugin.ts'
import { type Predecessor, Probation } from './probation.ts'
import { handOver, prove } from './prove.ts'
import type { Finding } from './regression.ts'
import { noteRejected } from './rejection.ts'
import { recalled } from './selection.ts'
import type { Trial, VersionBytes } from './trials.ts'
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
      await place.discard()
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
    await result.value.place.discard()
    return reject(core, plugin, candidate, core.redactor.value(failureOf('start', error)) as Failure)
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

function trialOf({ generation, digest }: Started, { version, digest: before, figures }: Predecessor): Trial {
  return { newer: { version: generation.candidate.version, digest }, older: { version, digest: before }, figures }
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
  if (older !== undefined) watch(core, plugin, started, older)
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

function watch(core: Core, plugin: Plugin, newer: Started, older: Predecessor): void {
  const { candidate, number } = newer.generation
  plugin.probation = new Probation(core, {
    newer,
    older,
    worse: (finding) => moveBack(core, plugin, { newer, older, finding }),
    weighed: (memoryBytes) => {
      if (core.trials.of(plugin.id)?.newer.digest !== newer.digest) return
      const weighed = { ...older, figures: { ...older.figures, memoryBytes } }
      core.inBackground(plugin, core.trials.begin(plugin.id, trialOf(newer, weighed)))
    },
    passed: () => {
      plugin.probation = undefined
      core.inBackground(plugin, core.trials.end(plugin.id))
      core.events.record({ type: 'plugin.proved', plugin: plugin.id, version: candidate.version, generation: number })
    },
  })
}

/**
 * A version that was on probation when it, or its host, ended serves again: it is watched for the whole time, by what is kept
 * of the version before. Any other version ends what is left of a probation.
 */
export function resumeTrial(core: Core, plugin: Plugin, started: Started): void {
  const trial = core.trials.of(plugin.id)
  if (trial === undefined || plugin.probation !== undefined) return
  const isWatched = core.choices.pinned(plugin.id) === undefined && core.times.probationMs > 0
  if (trial.newer.digest !== started.digest || !isWatched) core.inBackground(plugin, core.trials.end(plugin.id))
  else watch(core, plugin, started, { ...trial.older, started: undefined, figures: trial.figures })
}

/** Somebody decided for what serves: it is not taken back by itself any more. */
export async function endProbation(core: Core, plugin: Plugin): Promise<void> {
  plugin.probation?.[Symbol.dispose]()
  plugin.probation = undefined
  await core.trials.end(plugin.id)
}

interface Retreat {
  readonly newer: Started
  readonly older: Predecessor
  readonly finding: Finding
}

/** Lets the version before serve again: the generation that was kept warm, or a fresh one of the same bytes. */
function moveBack(core: Core, plugin: Plugin, retreat: Retreat): void {
  const { newer, older, finding } = retreat
  const { started } = older
  plugin.probation = undefined
  const isWarm = started !== undefined && started.generation.ended === undefined
  if (started === undefined || (!isWarm && newer.generation.ended === undefined)) {
    core.inBackground(plugin, moveBackAfresh(core, plugin, retreat))
    return
  }
  try {
    bindAs(core, plugin, started.generation.candidate)
  } catch (error) {
    started.generation.warm?.resolve()
    noteStuck(core, plugin, finding, messageOf(error))
    return
  }
  if (takeBack(started.generation)) {
    core.states.goBack(started.place.slot)
    serve(core, plugin, started, endingOf(finding))
  }
  tellMovedBack(core, plugin, retreat)
  core.inBackground(plugin, retire(core, newer.generation, `the version before serves again: ${finding.evidence}`))
  if (!isWarm) core.inBackground(plugin, startWhenDown(core, plugin))
}

/** No generation of the version before is left: a fresh one replaces the new one, or is started in its place when that ended. */
function moveBackAfresh(core: Core, plugin: Plugin, retreat: Retreat): Promise<void> {
  const { finding, newer, older } = retreat
  const { candidate } = newer.generation
  plugin.isMovingBack = true
  return plugin.inTurn(async () => {
    try {
      const like = { source: candidate.source, path: candidate.found.path }
      const to =
        older.started?.generation.candidate ?? (await recalled(core, plugin.id, { digest: older.digest, like }, core.stopping))
      if (plugin.incoming !== undefined || plugin.candidate !== candidate || !plugin.usable) return
      if (to === undefined) noteStuck(core, plugin, finding, 'nothing is left of the version before')
      else if (await isStartedInstead(core, plugin, to, retreat)) tellMovedBack(core, plugin, retreat)
      else noteStuck(core, plugin, finding, 'the version before does not start any more')
    } finally {
      plugin.isMovingBack = false
    }
  })
}

async function isStartedInstead(core: Core, plugin: Plugin, to: Candidate, { finding }: Retreat): Promise<boolean> {
  const ending = endingOf(finding)
  if (plugin.serving !== undefined) return succeed(core, plugin, to, { onProbation: false, ending })
  const { candidate } = plugin
  bindAs(core, plugin, to)
  const { ok } = await startNow(core, plugin, ending)
  if (!ok) bindAs(core, plugin, candidate)
  return ok && plugin.candidate === to
}

/** What was found is told all the same, and the probation is over: there is nothing to go back to. */
function noteStuck(core: Core, plugin: Plugin, { evidence }: Finding, reason: string): void {
  core.inBackground(plugin, core.trials.end(plugin.id))
  core.log.write({ level: 'error', message: `it cannot be moved back (${reason}), though ${evidence}`, plugin: plugin.id })
}

/** Both generations have ended; nobody waits for the next call. What comes of it is in the record. */
async function startWhenDown(core: Core, plugin: Plugin): Promise<void> {
  await Promise.resolve()
  if (plugin.usable && plugin.serving === undefined) await activate(core, plugin).catch(() => undefined)
}

function tellMovedBack(core: Core, plugin: Plugin, { newer, older, finding }: Retreat): void {
  const { version, digest } = older
  noteMovedBack(core, plugin, {
    candidate: newer.generation.candidate,
    digest: newer.digest,
    older: { version, digest },
    finding,
  })
}

/** Remembers and tells what was moved back, from what, and why. */
export function noteMovedBack(core: Core, plugin: Plugin, { candidate, digest, older, finding }: MovedBack): void {
  const { reason, evidence } = finding
  const versions = { plugin: plugin.id, from: candidate.version, to: older.version }
  const error = kernelErrors.error('UPDATE_MOVED_BACK', { ...versions, evidence }, { plugin: plugin.id })
  const failure = failureOf('probation', error)
  core.inBackground(plugin, noteRejected(core, plugin, { candidate, failure, why: 'moved back', digest, to: older }))
  core.inBackground(plugin, core.trials.end(plugin.id))
  core.events.record({ type: 'plugin.moved-back', ...versions, reason, evidence })
  core.log.write({ level: 'error', message: error.message, plugin: plugin.id })
}

interface MovedBack {
  readonly candidate: Candidate
  /** Of the candidate. */
  readonly digest: string
  readonly older: VersionBytes
  readonly finding: Finding
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

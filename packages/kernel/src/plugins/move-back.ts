import type { Core } from '../core.ts'
import { kernelErrors } from '../errors.ts'
import { bindAs } from './bind-as.ts'
import type { Ending } from './history.ts'
import { activate, serve, startNow } from './lifecycle.ts'
import { messageOf } from '../calls/thrown.ts'
import type { Candidate, Plugin } from './plugin.ts'
import { type Predecessor, Probation, trialOf } from './probation.ts'
import type { Finding } from './regression.ts'
import { noteRejected } from './rejection.ts'
import { recalled } from './selection.ts'
import { failureOf } from '../stages/stage-result.ts'
import type { Started } from '../stages/start.ts'
import { succeed } from './take-over.ts'
import type { VersionBytes } from './trials.ts'
import { retire, takeBack } from '../upgrade.ts'

/** Watches a version that took over, and takes it back when it does worse. */
export function watch(core: Core, plugin: Plugin, newer: Started, older: Predecessor): void {
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

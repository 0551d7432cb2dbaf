import type { KeptHold } from './choices.ts'
import type { Core } from '../core.ts'
import { kernelErrors } from '../errors.ts'
import type { Candidate, Plugin } from './plugin.ts'
import type { FoundPackage, RecalledPackage, Source, StagedPackage } from '../ports.ts'
import { unapprovedError } from '../stages/admission.ts'
import { candidateOf } from '../stages/candidate.ts'
import type { Discovered } from '../stages/discover.ts'
import { failureOf } from '../stages/stage-result.ts'
import type { Started } from '../stages/start.ts'
import { messageOf } from '../calls/thrown.ts'

/** What the sources have of one plugin, in order of precedence; never empty. */
export type Offered = readonly [Discovered, ...Discovered[]]

/**
 * The candidate that serves instead of what the sources have first, where a pin or a hold says so. Undefined when nothing
 * does. A hold is over once the sources have something else than what it is against.
 */
export async function select(core: Core, id: string, offered: Offered, signal: AbortSignal): Promise<Candidate | undefined> {
  const pinned = core.choices.pinned(id)
  if (pinned !== undefined) return pinnedCandidate(core, id, { offered, version: pinned }, signal)
  const hold = core.choices.held(id)
  if (hold === undefined) return core.plugins.has(id) ? undefined : insteadOfQuarantined(core, id, offered[0], signal)
  const isApproved = hold.why === 'not approved' && core.unapproved(candidateOf(id, offered[0], core)).length === 0
  if (isApproved || !(await isAgainst(core, hold, offered[0], signal))) {
    await core.choices.release(id)
    return undefined
  }
  const held = await recalled(core, id, { digest: hold.to.digest, like: offered[0] }, signal)
  return held ?? unavailable(core, id, offered[0], hold.to.version)
}

/**
 * At the start of the host: a newer version is in quarantine, perhaps because the host ended while it was tried. The one that
 * served last serves on, as long as this host runs.
 */
async function insteadOfQuarantined(
  core: Core,
  id: string,
  first: Discovered,
  signal: AbortSignal,
): Promise<Candidate | undefined> {
  const candidate = candidateOf(id, first, core)
  const quarantine = core.supervisor.quarantines.of(candidate)
  const digest = quarantine === undefined ? undefined : await digestOf(core, candidate)
  const last = digest === undefined ? undefined : await lastServed(core, id, digest)
  if (quarantine === undefined || digest === undefined || last === undefined) return undefined
  const served = await recalled(core, id, { digest: last.digest, like: first }, signal)
  if (served === undefined) return undefined
  const { version, failure, fingerprint, atMs } = quarantine
  const update = { version, atMs, failure }
  await core.choices.hold(
    id,
    { why: 'failed', to: last, against: { version, digest }, sinceMs: atMs, update, fingerprint },
    false,
  )
  return served
}

/**
 * A version that asks for more than was approved waits: what serves goes on, or, at the start of the host, what served last.
 * Undefined when there is nothing that could serve in its place.
 */
export async function insteadOfUnapproved(core: Core, candidate: Candidate, signal: AbortSignal): Promise<Candidate | undefined> {
  const { id, version, found, source } = candidate
  const plugin = core.plugins.get(id)
  const permissions = core.unapproved(candidate)
  if (plugin?.candidate === candidate || permissions.length === 0) return undefined
  const standing = plugin?.serving === undefined ? undefined : plugin.standing
  const to = standing === undefined ? await lastServed(core, id) : versionOf(standing)
  const like = { source, path: found.path }
  const instead = to === undefined ? undefined : await recalled(core, id, { digest: to.digest, like }, signal)
  if (to === undefined || instead === undefined || core.unapproved(instead).length > 0) return undefined
  const sinceMs = core.clock.now()
  const failure = failureOf('check', unapprovedError(candidate, permissions))
  const update = { version, atMs: sinceMs, failure }
  const { fingerprint } = found
  const hold = { why: 'not approved', to, against: { version }, sinceMs, update, permissions, fingerprint } as const
  await core.choices.hold(id, hold, false)
  core.events.record({ type: 'plugin.update-failed', plugin: id, version, failure })
  return instead
}

function versionOf({ generation, digest }: Started): { readonly version: string; readonly digest: string } {
  return { version: generation.candidate.version, digest }
}

/**
 * The version that serves or served until it was replaced, where its bytes are known; of one on probation, the version before
 * it.
 */
export async function lastServed(
  core: Core,
  id: string,
  digest?: string,
): Promise<{ readonly version: string; readonly digest: string } | undefined> {
  const trial = core.trials.of(id)
  if (trial !== undefined && trial.newer.digest === digest) return trial.older
  const entries = await core.history.list(id)
  const last = entries.find(({ outcome }) => outcome === 'serving' || outcome === 'replaced')
  if (last?.digest === undefined || last.digest === digest) return undefined
  return { version: last.version, digest: last.digest }
}

/** Of the bytes the source has now; undefined when they cannot be read. */
export async function digestOf(core: Core, { found }: Candidate): Promise<string | undefined> {
  try {
    const staged = await found.stage(core.stopping)
    await staged.release?.()
    return staged.digest
  } catch {
    return undefined
  }
}

/** Of a version: what the sources have, what the kernel has, what is kept of what served before, or that there is none. */
async function pinnedCandidate(
  core: Core,
  id: string,
  { offered, version }: { readonly offered: Offered; readonly version: string },
  signal: AbortSignal,
): Promise<Candidate> {
  return (await findVersion(core, id, { offered, version }, signal)) ?? unavailable(core, id, offered[0], version)
}

/** A candidate of exactly this version; undefined when nothing is left of it anywhere. */
export async function findVersion(
  core: Core,
  id: string,
  { offered, version }: { readonly offered: Offered; readonly version: string },
  signal: AbortSignal,
): Promise<Candidate | undefined> {
  const plugin = core.plugins.get(id)
  for (const discovered of offered) {
    const candidate = known(plugin, discovered.found?.fingerprint, discovered.path) ?? candidateOf(id, discovered, core)
    if (candidate.version === version && candidate.declared !== undefined) return candidate
  }
  const kept = candidatesOf(plugin).find((candidate) => candidate.version === version && candidate.staged !== undefined)
  if (kept !== undefined) return kept
  for (const entry of await core.history.list(id)) {
    const { digest } = entry
    if (entry.version !== version || entry.outcome === 'failed' || digest === undefined) continue
    const candidate = await recalled(core, id, { digest, like: offered[0] }, signal)
    if (candidate !== undefined) return candidate
  }
  return undefined
}

/** A candidate of bytes that were staged before; undefined when they are kept no more. */
export async function recalled(
  core: Core,
  id: string,
  { digest, like }: { readonly digest: string; readonly like: Pick<Discovered, 'source' | 'path'> },
  signal: AbortSignal,
): Promise<Candidate | undefined> {
  const plugin = core.plugins.get(id)
  const fingerprint = recalledFingerprint(digest)
  const own = candidatesOf(plugin).find(({ staged, found }) => staged?.digest === digest || found.fingerprint === fingerprint)
  if (own !== undefined) return own
  const { source, path } = like
  const recalling = await recall(core, source, digest, signal)
  if (recalling === undefined) return undefined
  // most of what is looked at is never started; the source keeps what was asked for last, and a start asks again
  await recalling.staged.release?.()
  const found = new RecalledBytes(recalling.manifest, { plugin: id, source, path, digest })
  const candidate = candidateOf(id, { source, id, path, found, problem: undefined }, core)
  return candidate.declared?.id === id ? candidate : undefined
}

async function recall(core: Core, source: Source, digest: string, signal: AbortSignal): Promise<RecalledPackage | undefined> {
  try {
    return await source.recall?.(digest, signal)
  } catch (error) {
    signal.throwIfAborted()
    core.log.write({ level: 'error', message: `${source.name} cannot recall ${digest}: ${messageOf(error)}` })
    return undefined
  }
}

/** Whether a candidate is of kept bytes, not of what a source has now. */
export function isRecalled({ found }: Candidate): boolean {
  return found instanceof RecalledBytes
}

function recalledFingerprint(digest: string): string {
  return `recalled ${digest}`
}

interface KeptBytes {
  readonly plugin: string
  readonly source: Source
  readonly path: string
  readonly digest: string
}

/** A package of which only the kept bytes are left. */
class RecalledBytes implements FoundPackage {
  readonly manifest: unknown
  readonly manifestPath: string
  readonly path: string
  readonly fingerprint: string
  readonly #about: KeptBytes

  constructor(manifest: unknown, about: KeptBytes) {
    this.manifest = manifest
    this.path = about.path
    this.manifestPath = about.path
    this.fingerprint = recalledFingerprint(about.digest)
    this.#about = about
  }

  async stage(signal: AbortSignal): Promise<StagedPackage> {
    const { plugin, source, digest } = this.#about
    const recalling = await source.recall?.(digest, signal)
    if (recalling === undefined) throw kernelErrors.error('VERSION_GONE', { plugin, version: digest }, { plugin })
    return recalling.staged
  }
}

/** Whether the sources still have what a hold is against: by fingerprint, or, touched meanwhile, by digest. */
async function isAgainst(core: Core, hold: KeptHold, first: Discovered, signal: AbortSignal): Promise<boolean> {
  const { found } = first
  if (found === undefined) return false
  if (found.fingerprint === hold.fingerprint) return true
  if (hold.against.digest === undefined) return false
  try {
    const staged = await found.stage(signal)
    await staged.release?.()
    return staged.digest === hold.against.digest
  } catch {
    signal.throwIfAborted()
    core.log.write({ level: 'debug', message: `${found.path} cannot be compared with what was found wanting` })
    return false
  }
}

/** What serves goes on; with nothing that serves there is only the reason why nothing can. */
function unavailable(core: Core, id: string, first: Discovered, version: string): Candidate {
  const plugin = core.plugins.get(id)
  if (plugin?.serving !== undefined || plugin?.candidate.found.fingerprint === `gone ${version}`) return plugin.candidate
  const failure = failureOf('check', kernelErrors.error('VERSION_GONE', { plugin: id, version }, { plugin: id }))
  const { manifest, ...candidate } = { ...candidateOf(id, first, core) }
  return { ...candidate, version, manifest, failure, found: { ...copyOf(first), fingerprint: `gone ${version}` } }
}

function copyOf({ found, path }: Discovered): FoundPackage {
  const stage: FoundPackage['stage'] = (signal) => found?.stage(signal) ?? Promise.reject(new Error(`${path} cannot be read`))
  return { manifest: found?.manifest, manifestPath: found?.manifestPath ?? path, path, fingerprint: '', stage }
}

function candidatesOf(plugin: Plugin | undefined): readonly Candidate[] {
  const older = plugin?.probation?.older.started?.generation.candidate
  return [plugin?.incoming, plugin?.candidate, older, plugin?.rejected].filter((candidate) => candidate !== undefined)
}

function known(plugin: Plugin | undefined, fingerprint: string | undefined, path: string): Candidate | undefined {
  return candidatesOf(plugin).find(({ found }) => found.fingerprint === fingerprint && found.path === path)
}

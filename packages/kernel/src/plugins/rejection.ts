import type { Core } from '../core.ts'
import type { Ending } from './history.ts'
import type { Candidate, Plugin } from './plugin.ts'
import { isRecalled } from './selection.ts'
import type { Failure, FailedUpdate, Hold } from '../record.ts'
import type { Started } from '../stages/start.ts'

/** Failures of what surrounds a version, not of the version: set right, the same bytes may do, so they are held only until then. */
const surroundings = [
  'CONFIG_',
  'SETTING_',
  'SECRET_',
  'POLICY_',
  'TRUST_',
  'PERMISSION_',
  'DEPENDENCY_',
  'POINT_CONFLICT',
  'POINT_RESERVED',
  'SOURCE_',
  'KERNEL_',
] as const

/** Whether a version could not take over because of what surrounds it, before anything of it ran. */
export function isOfSurroundings({ code }: Failure): boolean {
  return surroundings.some((prefix) => code.startsWith(prefix))
}

/** What was found wanting, and what serves in its place. */
export interface Rejected {
  readonly candidate: Candidate
  readonly failure: Failure
  readonly why: Exclude<Hold['why'], 'rolled back' | 'not approved'>
  /** Digest of the candidate, where it is known. */
  readonly digest: string | undefined
  readonly to: Hold['to']
}

/**
 * Remembers what is not tried again until the source changes, and why; also after a restart. Kept bytes that could not be
 * started leave no trace but the record: the source has something else anyway.
 */
export async function noteRejected(core: Core, plugin: Plugin, { candidate, failure, why, digest, to }: Rejected): Promise<void> {
  const update: FailedUpdate = { version: candidate.version, atMs: core.clock.now(), failure }
  plugin.update = update
  plugin.rejected = candidate
  if (why === 'failed') {
    const known = digest === undefined ? {} : { digest }
    const tried = { version: candidate.version, ...known, stateVersion: stateVersionOf(candidate) }
    core.inBackground(plugin, core.history.failed(plugin.id, tried, failure.message))
  }
  if (core.choices.pinned(plugin.id) !== undefined) return
  if (isRecalled(candidate) || core.choices.held(plugin.id)?.why === 'rolled back') return core.choices.release(plugin.id)
  const { fingerprint } = candidate.found
  const against = { version: candidate.version, ...(digest === undefined ? {} : { digest }) }
  const hold = { why, to, against, sinceMs: update.atMs, update, fingerprint }
  await core.choices.hold(plugin.id, hold, !isOfSurroundings(failure))
  await keep(core, candidate, to.digest)
}

/** Asks the source to keep the bytes that serve as its newest: they must be there at the next start. */
async function keep(core: Core, { source }: Candidate, digest: string): Promise<void> {
  const recalling = await source.recall?.(digest, core.stopping)
  await recalling?.staged.release?.()
}

/** Writes down that a version serves now, and how the one before it ended. */
export function noteServing(core: Core, plugin: Plugin, { digest, generation }: Started, ending?: Ending): void {
  const { candidate } = generation
  const version = { version: candidate.version, digest, stateVersion: stateVersionOf(candidate) }
  core.inBackground(plugin, core.history.serves(plugin.id, version, ending))
}

/** Of what a version stores; 1 when its manifest names none. */
export function stateVersionOf({ manifest }: Candidate): number {
  return manifest?.stateVersion ?? 1
}

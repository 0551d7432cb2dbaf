import { boundedWait } from '../calls/bounded-wait.ts'
import type { Core } from '../core.ts'
import type { AcceptedManifest, StagedPackage } from '../ports.ts'
import type { Failure } from '../record.ts'
import { admit } from '../stages/admission.ts'
import { failureOf } from '../stages/stage-result.ts'
import type { Candidate, Plugin } from './plugin.ts'

type Look = Promise<Failure | undefined>

/** However many ask, a package is hashed and looked through once at a time: whoever may only read may ask as often as they like. */
const looks = new WeakMap<Candidate, Look>()

/**
 * What the admission would say to an idle plugin if it were started now: the failure that its first call would meet, or undefined.
 * Its bytes are staged and hashed for that, as for a start; nothing of them runs, and the record stays as it is. Who leaves ends
 * nothing: others may wait for the same answer.
 */
export async function refusalOf(core: Core, { candidate, state }: Plugin, signal: AbortSignal): Look {
  const { manifest } = candidate
  if (core.options.admission === undefined || state.name !== 'idle' || manifest === undefined) return undefined
  const within = AbortSignal.any([signal, core.stopping])
  within.throwIfAborted()
  const look = looks.get(candidate) ?? begin(core, candidate, manifest)
  return boundedWait(look, { signal: within })
}

function begin(core: Core, candidate: Candidate, manifest: AcceptedManifest): Look {
  const look = lookAt(core, candidate, manifest).finally(() => looks.delete(candidate))
  looks.set(candidate, look)
  return look
}

async function lookAt(core: Core, candidate: Candidate, manifest: AcceptedManifest): Look {
  const kept = candidate.staged
  try {
    const staged = kept ?? (await candidate.found.stage(core.stopping))
    await using _ours = kept === undefined ? releasing(staged) : undefined
    await admit(core, candidate, { manifest, staged })
    return undefined
  } catch (error) {
    core.stopping.throwIfAborted()
    return core.redactor.value(failureOf('start', error)) as Failure
  }
}

function releasing({ release }: StagedPackage): AsyncDisposable {
  return { [Symbol.asyncDispose]: async () => release?.() }
}

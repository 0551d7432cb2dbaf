import { boundedWait } from '../calls/bounded-wait.ts'
import type { Core } from '../core.ts'
import type { StagedPackage } from '../ports.ts'
import type { Failure } from '../record.ts'
import { admit } from '../stages/admission.ts'
import { failureOf } from '../stages/stage-result.ts'
import type { Plugin } from './plugin.ts'

/**
 * What the admission would say to an idle plugin if it were started now: the failure that its first call would meet, or undefined.
 * Its bytes are staged and hashed for that, as for a start; nothing of them runs, and the record stays as it is.
 */
export async function refusalOf(core: Core, plugin: Plugin, signal: AbortSignal): Promise<Failure | undefined> {
  const { candidate, state } = plugin
  const { manifest } = candidate
  if (core.options.admission === undefined || state.name !== 'idle' || manifest === undefined) return undefined
  const within = AbortSignal.any([signal, core.stopping])
  within.throwIfAborted()
  const kept = candidate.staged
  const asked = async (): Promise<void> => {
    const staged = kept ?? (await candidate.found.stage(within))
    // Whoever asked may have left: what is looked at stays until nobody looks any more.
    await using _ours = kept === undefined ? releasing(staged) : undefined
    within.throwIfAborted()
    await admit(core, candidate, { manifest, staged })
  }
  try {
    await boundedWait(asked(), { signal: within })
    return undefined
  } catch (error) {
    within.throwIfAborted()
    return core.redactor.value(failureOf('start', error)) as Failure
  }
}

function releasing({ release }: StagedPackage): AsyncDisposable {
  return { [Symbol.asyncDispose]: async () => release?.() }
}

import { boundedWait } from '../calls/bounded-wait.ts'
import type { Core } from '../core.ts'
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
  const kept = candidate.staged
  let staged = kept
  try {
    staged ??= await boundedWait(candidate.found.stage(within), { signal: within })
    await boundedWait(admit(core, candidate, { manifest, staged }), { signal: within })
    return undefined
  } catch (error) {
    within.throwIfAborted()
    return core.redactor.value(failureOf('start', error)) as Failure
  } finally {
    if (kept === undefined) await staged?.release?.()
  }
}

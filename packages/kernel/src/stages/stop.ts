import { boundedWait } from '../calls/bounded-wait.ts'
import type { Core } from '../core.ts'
import type { Generation } from '../plugins/generation.ts'
import { failureOf, type StageResult } from './stage-result.ts'

/** How much later than asked a runtime may answer before it is no longer waited for, ms. */
export const runtimeSlackMs = 2_000

/** Ends one generation: its cleanups, its code, what it held at others, the files handed over. */
export async function stop(
  core: Core,
  generation: Generation,
  graceMs: number = core.times.stopMs,
): Promise<StageResult<undefined>> {
  try {
    await within(core, graceMs + runtimeSlackMs, generation.instance.stop(graceMs))
    return { ok: true, value: undefined }
  } catch (error) {
    return { ok: false, failure: failureOf('stop', error) }
  } finally {
    generation.release()
    await core.directories.removeExchange(generation.directories.exchange).catch(() => undefined)
  }
}

/** Waits for what a runtime promised to do in time, and no longer. */
export function within(core: Pick<Core, 'clock'>, ms: number, work: PromiseLike<unknown>): Promise<unknown> {
  const error = (): Error => new Error(`the runtime did not stop it within ${ms} ms`)
  return boundedWait(work, { deadline: { clock: core.clock, ms, error } })
}

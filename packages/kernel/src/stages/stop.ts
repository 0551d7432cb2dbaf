import type { Core } from '../core.ts'
import type { Generation } from '../generation.ts'
import { failureOf, type StageResult } from './stage-result.ts'

/** How much later than asked a runtime may answer before it is no longer waited for, ms. */
const runtimeSlackMs = 2_000

/** Ends one generation: its cleanups, its code, what it held at others, the files handed over. */
export async function stop(core: Core, generation: Generation): Promise<StageResult<undefined>> {
  const { stopMs } = core.times
  try {
    await Promise.race([generation.instance.stop(stopMs), after(core, stopMs + runtimeSlackMs)])
    return { ok: true, value: undefined }
  } catch (error) {
    return { ok: false, failure: failureOf('stop', error) }
  } finally {
    generation.release()
    await core.directories.removeExchange(generation.directories.exchange).catch(() => undefined)
  }
}

function after(core: Core, ms: number): Promise<never> {
  return new Promise((_resolve, reject) => {
    core.clock.after(ms, () => reject(new Error(`the runtime did not stop it within ${ms} ms`)))
  })
}

import type { Core } from '../core.ts'
import type { Plugin } from './plugin.ts'
import { isOfSurroundings } from './rejection.ts'
import { settle } from './succession.ts'

/**
 * Tries again what failed before anything of it ran: its bytes were not there, the admission refused it, its settings did not fit,
 * or what it needs failed so. What ran and failed stays as it is. Answers the ids that run now.
 */
export async function retryUnlaunched(core: Core): Promise<ReadonlySet<string>> {
  const failed = [...core.plugins.values()].filter(isUnlaunched)
  // all before any, as one may need another
  for (const plugin of failed) {
    core.points.unbind(plugin)
    core.supervisor.forgive(plugin)
    settle(core, plugin)
  }
  await Promise.allSettled(failed.filter(({ usable }) => usable).map((plugin) => core.activate(plugin)))
  return new Set(failed.filter(({ serving }) => serving !== undefined).map(({ id }) => id))
}

/** Lets the next look at the sources offer again what could not take over for what surrounds it: a policy, settings, bytes. */
export async function offerAgain({ plugins, choices }: Core): Promise<void> {
  for (const plugin of plugins.values()) {
    const { id, rejected, update } = plugin
    if (rejected === undefined || choices.held(id)?.why !== 'failed') continue
    if (update?.failure.stage !== 'start' || !isOfSurroundings(update.failure)) continue
    plugin.rejected = undefined
    await choices.release(id)
  }
}

function isUnlaunched({ state, launched, generation, serving, isBusy, departure }: Plugin): boolean {
  const isFree = serving === undefined && !isBusy && departure === undefined
  return isFree && state.name === 'failed' && state.failure.stage === 'start' && launched !== generation
}

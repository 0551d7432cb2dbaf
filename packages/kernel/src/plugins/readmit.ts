import { messageOf } from '../calls/thrown.ts'
import type { Core } from '../core.ts'
import { admit } from '../stages/admission.ts'
import { comeBack, switchOff } from './departure.ts'
import type { Plugin } from './plugin.ts'

/**
 * Asks the admission again about what serves, as when the policy was changed or an advisory came in. What it refuses takes no more
 * calls at once, is drained and stopped. Answers their ids, which are to be looked at again: what kept them from running now
 * is told by a start.
 */
export async function endUnadmitted(core: Core): Promise<readonly string[]> {
  const ended = await Promise.all([...core.plugins.values()].map((plugin) => endIfRefused(core, plugin)))
  return ended.flatMap((id) => id ?? [])
}

async function endIfRefused(core: Core, plugin: Plugin): Promise<string | undefined> {
  const candidate = plugin.serving?.candidate
  const { manifest, staged } = candidate ?? {}
  if (candidate === undefined || manifest === undefined || staged === undefined) return undefined
  try {
    const trust = await admit(core, candidate, { manifest, staged })
    if (plugin.serving?.candidate === candidate) plugin.trust = trust
    return undefined
  } catch (error) {
    if (core.stopping.aborted || plugin.serving?.candidate !== candidate) return undefined
    const reason = messageOf(error)
    core.log.write({ level: 'warn', message: `${plugin.id} is stopped: ${reason}`, plugin: plugin.id })
    if (!(await switchOff(core, plugin, reason))) return undefined
    comeBack(plugin, core.offReason(plugin.candidate))
    return plugin.id
  }
}

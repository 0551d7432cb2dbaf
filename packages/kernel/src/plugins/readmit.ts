import { messageOf } from '../calls/thrown.ts'
import type { Core } from '../core.ts'
import type { AcceptedManifest, StagedPackage } from '../ports.ts'
import { admit, withheld } from '../stages/admission.ts'
import { comeBack, switchOff } from './departure.ts'
import type { Candidate, Plugin } from './plugin.ts'
import { renew } from './succession.ts'

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
  const reason = await whyNot(core, plugin, { candidate, manifest, staged })
  if (core.stopping.aborted || reason === undefined || plugin.serving?.candidate !== candidate) return undefined
  core.log.write({ level: 'warn', message: `${plugin.id} is stopped: ${reason}`, plugin: plugin.id })
  if (!(await switchOff(core, plugin, reason))) return undefined
  comeBack(plugin, core.offReason(plugin.candidate))
  return plugin.id
}

interface Standing {
  readonly candidate: Candidate
  readonly manifest: AcceptedManifest
  readonly staged: StagedPackage
}

/**
 * Why what serves may not go on as it is. What is withheld from now on is taken at once, whatever a start without it comes to; what
 * is given back comes with a fresh generation, while the one without it goes on.
 */
async function whyNot(core: Core, plugin: Plugin, { candidate, manifest, staged }: Standing): Promise<string | undefined> {
  try {
    const trust = await admit(core, candidate, { manifest, staged, isServing: true })
    if (plugin.serving?.candidate === candidate) plugin.trust = trust
  } catch (error) {
    return messageOf(error)
  }
  const now = withheld(core.options.admission, candidate, manifest.permissions)
  const before = plugin.standing?.withheld ?? now
  const more = now.filter((permission) => !before.includes(permission))
  if (more.length > 0) return `it runs with permissions that are withheld from it now: ${more.join(', ')}`
  if (before.some((permission) => !now.includes(permission))) await renew(core, plugin)
  return undefined
}

import { realpathSync } from 'node:fs'
import type { Grants, Isolation, StartRequest, UseVerb } from '@backplane/kernel'
import { runtimeErrors } from '../errors.ts'
import type { SandboxTrial } from '../sandbox/machine.ts'
import { isWithin } from '../sandbox/way-to.ts'
import { canTellUse } from './child-flags.ts'

const everything: readonly UseVerb[] = ['fs:read', 'fs:write', 'exec', 'net:connect']

/**
 * Why a plugin with these grants cannot run in audit mode, as half a sentence. In that mode Node's permission model tells and does not
 * deny, so the sandbox alone has to keep exactly what the two keep together; undefined: it does.
 */
export function whyNoAudit(grants: Grants, { floor }: Isolation, trial: () => SandboxTrial): string | undefined {
  if (!canTellUse) return 'this Node cannot tell what is used; 26.10 can'
  if (floor !== 'os')
    return 'it runs without the sandbox of the operating system, and nothing else would deny what was not granted'
  const tried = trial()
  if (!tried.works) return `its sandbox cannot be built here: ${tried.missing}`
  const reads = grants.fsRead.map(real)
  const writes = grants.fsWrite.map(real)
  const device = reads.find((path) => path.startsWith('/dev/') && !writes.includes(path))
  if (device !== undefined) return `it may only read ${device}, and in a sandbox a device is open for writing too`
  const unread = writes.find((path) => !reads.some((other) => isWithin(path, other)))
  return unread === undefined ? undefined : `it may write ${unread} and not read it, which a sandbox does not tell apart`
}

/** Errors: `RUNTIME_AUDIT_UNAVAILABLE`, where the kernel did not ask. */
export function checkAudit({ audit, plugin: { id: plugin }, grants, isolation }: StartRequest, trial: () => SandboxTrial): void {
  const reason = audit === true ? whyNoAudit(grants, isolation, trial) : undefined
  if (reason !== undefined) throw runtimeErrors.error('RUNTIME_AUDIT_UNAVAILABLE', { plugin, reason }, { plugin })
}

/** What a plugin's uses are told of: programs outside a sandbox reach the network by themselves. */
export function toldUses({ audit, isolation, grants }: StartRequest): readonly UseVerb[] {
  if (audit === true) return everything
  return isolation.floor === 'os' || grants.exec.length === 0 ? ['net:connect'] : []
}

function real(path: string): string {
  try {
    return realpathSync(path)
  } catch {
    return path
  }
}

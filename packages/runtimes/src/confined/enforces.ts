import type { Enforcement, Grants, Limits } from '@backplane/kernel'
import type { SandboxTrial } from '../sandbox/machine.ts'
import { canDenyNet } from './child-flags.ts'
import { limitEnforcement } from './limit-enforcement.ts'

/** What {@link confinedEnforcement} looks at. */
export interface EnforcementQuestion {
  readonly grants: Grants
  readonly limits: Limits
  /** What ties a child to its host's life. */
  readonly launcher: string | undefined
  /** Whether the sandbox can be built; undefined when none is wanted. */
  readonly sandbox: SandboxTrial | undefined
}

/** What the confined tier enforces of these grants and limits. A sandbox that is wanted and cannot be built is `none`. */
export function confinedEnforcement({ grants, limits, launcher, sandbox }: EnforcementQuestion): readonly Enforcement[] {
  const weaker = sandbox?.works === false && sandbox.weaker !== undefined && grants.exec.length === 0
  const built = sandbox?.works === true
  const permissions = built ? sandboxPermissions(grants) : weaker ? landlockPermissions(grants) : processPermissions(grants)
  const own = sandbox === undefined ? [] : [sandboxEntry(sandbox, weaker)]
  return [...own, ...permissions, ...limitEnforcement(limits, built ? 'bubblewrap' : weaker ? 'landlock' : undefined, launcher)]
}

function sandboxEntry(trial: SandboxTrial, weaker: boolean): Enforcement {
  const what = 'sandbox'
  if (trial.works) {
    const user = process.getuid?.() === 0 ? ', a user of its own' : ''
    return { what, level: 'exact', mechanism: `${trial.version}, system-call filter${user}` }
  }
  const { missing, install } = trial
  const why = install === undefined ? missing : `${missing}: ${install}`
  if (!weaker) return { what, level: 'none', mechanism: why }
  const abi = `Landlock ABI ${trial.weaker?.abi ?? 0}`
  return { what, level: 'coarse', mechanism: `${abi} and a system-call filter: what is there can be seen, not used; ${why}` }
}

function landlockPermissions({ net }: Grants): readonly Enforcement[] {
  return [
    { what: 'fs:read', level: 'exact', mechanism: 'Landlock; node --permission' },
    { what: 'fs:write', level: 'exact', mechanism: 'Landlock; node --permission' },
    { what: 'exec', level: 'exact', mechanism: 'Landlock; node --permission' },
    { what: 'net:connect', level: 'exact', mechanism: `${broker(net)}system-call filter, Landlock; node without --allow-net` },
  ]
}

/** Whether a device is open for writing to programs, because a device knows no read-only mount. */
function writesDevices({ exec, fsRead, fsWrite }: Grants): boolean {
  return exec.length > 0 && fsRead.some((path) => path.startsWith('/dev/') && !fsWrite.includes(path))
}

function sandboxPermissions(grants: Grants): readonly Enforcement[] {
  const { exec, net } = grants
  const files = 'bubblewrap: only what was granted is there; node --permission'
  const started = 'bubblewrap: of the machine only these are there; what the plugin brings runs in the same sandbox'
  return [
    { what: 'fs:read', level: 'exact', mechanism: files },
    writesDevices(grants)
      ? { what: 'fs:write', level: 'coarse', mechanism: `${files}; to its programs a device it may read is open for writing too` }
      : { what: 'fs:write', level: 'exact', mechanism: files },
    exec.length > 0
      ? { what: 'exec', level: 'exact', mechanism: started }
      : { what: 'exec', level: 'exact', mechanism: 'bubblewrap: no program but node is there; node --permission' },
    { what: 'net:connect', level: 'exact', mechanism: `${broker(net)}an empty network namespace; node without --allow-net` },
  ]
}

const programsEscape = 'node --permission; programs it starts are not held to it'

function processPermissions({ exec, net }: Grants): readonly Enforcement[] {
  const mayExec = exec.length > 0
  return [fileEnforcement('fs:read', mayExec), fileEnforcement('fs:write', mayExec), programs(mayExec), network(net, mayExec)]
}

function fileEnforcement(what: string, mayExec: boolean): Enforcement {
  if (mayExec) return { what, level: 'coarse', mechanism: programsEscape }
  return { what, level: 'exact', mechanism: 'node --permission; links inside granted directories are followed' }
}

function programs(mayExec: boolean): Enforcement {
  const what = 'exec'
  if (mayExec) return { what, level: 'coarse', mechanism: 'node --permission: any program or none' }
  return { what, level: 'exact', mechanism: 'node --permission' }
}

function network(net: readonly string[], mayExec: boolean): Enforcement {
  const what = 'net:connect'
  if (!canDenyNet) return { what, level: 'none', mechanism: 'this Node cannot deny the network; 26 can' }
  if (mayExec) return { what, level: 'coarse', mechanism: `${broker(net)}${programsEscape}` }
  return { what, level: 'exact', mechanism: `${broker(net)}node without --allow-net` }
}

function broker(net: readonly string[]): string {
  return net.length === 0 ? '' : 'egress broker on an inherited descriptor; '
}

import type { Enforcement, Grants } from '@backplane/kernel'
import { canDenyNet } from './child-flags.ts'

/** What the confined tier enforces of these grants; `launcher` is what ties a child to its host's life. */
export function confinedEnforcement({ exec, net }: Grants, launcher: string | undefined): readonly Enforcement[] {
  const mayExec = exec.length > 0
  return [
    fileEnforcement('fs:read', mayExec),
    fileEnforcement('fs:write', mayExec),
    programs(mayExec),
    network(net, mayExec),
    ...limits(launcher),
  ]
}

const programsEscape = 'node --permission; programs it starts are not held to it'

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
  if (net.length > 0) return { what, level: 'coarse', mechanism: 'node --permission: all hosts or none' }
  if (mayExec) return { what, level: 'coarse', mechanism: programsEscape }
  return { what, level: 'exact', mechanism: 'node --permission' }
}

function limits(launcher: string | undefined): readonly Enforcement[] {
  return [
    { what: 'limit:memory', level: 'coarse', mechanism: '--max-old-space-size: the JavaScript heap only' },
    launcher === undefined
      ? {
          what: 'limit:lifetime',
          level: 'coarse',
          mechanism: 'ends with its channel; a busy loop outlives a killed host (setpriv of util-linux is missing)',
        }
      : { what: 'limit:lifetime', level: 'exact', mechanism: 'setpriv --pdeathsig KILL' },
  ]
}

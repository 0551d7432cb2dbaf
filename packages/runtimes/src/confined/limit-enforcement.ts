import type { Enforcement, Limits } from '@backplane/kernel'
import { resourceGroups } from '../sandbox/machine.ts'
import { outputMechanism } from '../session-link/session-limits.ts'

const ownOnly = 'it may write to its own directories only'
const often = 'the host looks twice a second'

/** How the confined tier holds a plugin to its limits, with a sandbox around it or without. */
export function limitEnforcement(
  limits: Limits,
  sandbox: 'bubblewrap' | 'landlock' | undefined,
  launcher: string | undefined,
): readonly Enforcement[] {
  const groups = sandbox !== undefined ? resourceGroups()?.mechanisms : undefined
  const { memory, cpu, pids } = groups ?? {}
  return [
    memory === undefined
      ? coarse('memory', `--max-old-space-size, and ${often} at all of its processes and ends it`)
      : exact('memory', memory),
    cpu === undefined ? coarse('cpu', `${often} and tells`) : exact('cpu', cpu),
    pids === undefined ? coarse('processes', `${often} and tells`) : exact('processes', pids),
    ...(sandbox === undefined ? [...processLimits(), exact('tmp', ownOnly)] : sandboxLimits(limits)),
    ...(sandbox === 'bubblewrap' ? [exact('tmp', 'a sized tmpfs for /tmp and for /dev/shm')] : []),
    ...(sandbox === 'landlock' ? [exact('tmp', ownOnly)] : []),
    coarse('data', `${often} at what the disk has left, counts its data directory when that may be full, and tells`),
    exact('output', outputMechanism),
    lifetime(sandbox === 'bubblewrap', launcher),
  ]
}

function sandboxLimits({ openFiles }: Limits): readonly Enforcement[] {
  const least = openFiles < 64 ? ', never less than 64' : ''
  return [exact('open-files', `setrlimit${least}`), exact('file-size', 'setrlimit')]
}

function processLimits(): readonly Enforcement[] {
  return [coarse('open-files', `${often} and tells`), coarse('file-size', 'within what its data directory may hold')]
}

function lifetime(sandboxed: boolean, launcher: string | undefined): Enforcement {
  if (sandboxed) return exact('lifetime', 'bubblewrap --die-with-parent')
  if (launcher !== undefined) return exact('lifetime', 'setpriv --pdeathsig KILL')
  return coarse('lifetime', 'ends with its channel; a busy loop outlives a killed host (setpriv of util-linux is missing)')
}

function exact(limit: string, mechanism: string): Enforcement {
  return { what: `limit:${limit}`, level: 'exact', mechanism }
}

function coarse(limit: string, mechanism: string): Enforcement {
  return { what: `limit:${limit}`, level: 'coarse', mechanism }
}

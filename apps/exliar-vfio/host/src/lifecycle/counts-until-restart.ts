import type { Change } from '../changes/recorded-changes.ts'
import type { MachineTree } from '../machine/machine-tree.ts'

/**
 * Whether the machine runs with one of these changes, which only its start makes count: the kernel's command line, modules and what
 * takes cards early. Taken back in the files, they count until it starts again. False where the machine does not say when it
 * started: behind a copy none runs.
 */
export function countsUntilRestart(tree: Pick<MachineTree, 'glance'>, changes: readonly Pick<Change, 'at' | 'step'>[]): boolean {
  // Source: proc_stat(5).
  const [, seconds] = /^btime (\d+)$/m.exec(tree.glance('/proc/stat') ?? '') ?? []
  if (seconds === undefined) return false
  const startedMs = Number(seconds) * 1_000
  return changes.some((change) => countsAtStart(change) && Date.parse(change.at) < startedMs)
}

const atStart: ReadonlySet<string> = new Set(['kernel-param-added', 'kernel-param-removed', 'module-loaded'])

function countsAtStart({ step }: Pick<Change, 'step'>): boolean {
  return step.kind === 'write-file' && (atStart.has(step.records) || step.path.startsWith('/etc/modprobe.d/'))
}

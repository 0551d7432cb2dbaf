import type { Limits, Violation } from '@backplane/kernel'

/** What the kernel may be told to hold a group of processes to. */
export type Controller = 'memory' | 'cpu' | 'pids'

/** What the kernel counted for a group since it was made. */
export interface GroupCounts {
  readonly cpuMs: number | undefined
  /** Processes ended because the group's memory was used up. */
  readonly outOfMemory: number
  /** Times a process or thread was refused. */
  readonly processesRefused: number
  /** Periods in which the group ran, and those in which it was held back. */
  readonly cpuPeriods: number
  readonly cpuThrottled: number
}

/** A control group for one plugin's processes, whichever version of the interface is there. */
export interface ResourceGroup {
  /** Makes a process a member; what it starts from then on is one too. Rejects when there is no such process. */
  readonly add: (pid: number) => Promise<void>
  /** Process ids of its members. */
  readonly members: () => Promise<readonly number[]>
  readonly counts: () => Promise<GroupCounts>
  /** Kills every member, waits until none is left, and removes the group. Idempotent, never rejects. */
  readonly end: () => Promise<void>
}

/** Makes groups; one per machine and process. */
export interface ResourceGroups {
  /** `cgroup v2`, `cgroup v1` or `systemd scope`. */
  readonly name: string
  /** How each controller is told: its file, for people. */
  readonly mechanisms: Readonly<Partial<Record<Controller, string>>>
  readonly make: (limits: GroupLimits) => Promise<ResourceGroup>
}

/** What a group is held to. */
export interface GroupLimits {
  readonly memoryBytes: number
  readonly cpuPercent: number
  readonly processes: number
}

/** Node does not start with less, and would hang instead of failing. */
const leastMemoryMiB = 128
const leastProcesses = 24
/** The sandbox's own two. */
const ownProcesses = 2

/** What a group is held to so that its plugin has what its limits say. */
export function groupLimits({ memoryMiB, cpuPercent, processes }: Limits): GroupLimits {
  return {
    memoryBytes: Math.max(memoryMiB, leastMemoryMiB) * 1024 ** 2,
    cpuPercent,
    processes: Math.max(processes, leastProcesses) + ownProcesses,
  }
}

/** What happened between two counts, as violations. */
export function violationsBetween(before: GroupCounts, after: GroupCounts, limits: Limits): readonly Violation[] {
  const found: Violation[] = []
  const refused = after.processesRefused - before.processesRefused
  if (refused > 0) {
    const detail = `wanted more than ${limits.processes} processes and threads, and was refused ${refused} times`
    found.push({ kind: 'limit', limit: 'processes', detail })
  }
  const [periods, throttled] = [after.cpuPeriods - before.cpuPeriods, after.cpuThrottled - before.cpuThrottled]
  if (throttled > 0 && throttled * 2 >= periods) {
    const detail = `was held to ${limits.cpuPercent} % of a processor in ${throttled} of ${periods} periods`
    found.push({ kind: 'limit', limit: 'cpu', detail })
  }
  return found
}

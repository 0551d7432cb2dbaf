import { readFileSync } from 'node:fs'

/**
 * What tells a process from every other of this machine, before it and after it: its number, when it started, and which run of the
 * system that was. Undefined: there is none (one that has ended and is not waited for is none), or the system does not say. Source:
 * proc_pid_stat(5), fields 3 and 22.
 */
export function processMark(pid: number = process.pid): string | undefined {
  const startedAt = processStarted(pid)
  const boot = startedAt === undefined ? undefined : textOf('/proc/sys/kernel/random/boot_id')?.trim()
  return startedAt === undefined || boot === undefined ? undefined : `${pid} ${startedAt} ${boot}`
}

/** Whether the process of a mark still runs; one that only has its number does not count. */
export function isRunning(mark: string): boolean {
  return processMark(Number.parseInt(mark, 10)) === mark
}

/** When a process started, in the system's ticks since it started itself; undefined as for {@link processMark}. */
export function processStarted(pid: number): string | undefined {
  const stat = textOf(`/proc/${pid}/stat`)
  if (stat === undefined) return undefined
  // The name, in parentheses, may hold anything.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return fields[0] === 'Z' || fields[0] === 'X' ? undefined : fields[19]
}

function textOf(path: string): string | undefined {
  try {
    return readFileSync(path, 'latin1')
  } catch {
    return undefined
  }
}

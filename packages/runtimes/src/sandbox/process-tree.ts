import { readdir, readFile } from 'node:fs/promises'

/** What a set of processes uses now, seen from outside. */
export interface ProcessUse {
  readonly cpuMs: number
  readonly memoryBytes: number
  readonly processes: number
  /** Of the process that has most. */
  readonly openFiles: number | undefined
}

/** Linux counts processor time in these, per second, whatever the machine. */
const ticksPerSecond = 100
const pageBytes = 4_096

/** A process and all it started, as far as these are still its descendants. */
export async function descendantsOf(pid: number): Promise<readonly number[]> {
  const children = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8').catch(() => '')
  const pids = children.split(' ').filter(Boolean).map(Number)
  return [pid, ...(await Promise.all(pids.map(descendantsOf))).flat()]
}

/** Processes that ended meanwhile count nothing. */
export async function useOf(pids: readonly number[]): Promise<ProcessUse> {
  const uses = (await Promise.all(pids.map(useOfOne))).filter((use) => use !== undefined)
  const openFiles = uses.flatMap((use) => use.openFiles ?? [])
  return {
    cpuMs: uses.reduce((sum, use) => sum + use.cpuMs, 0),
    memoryBytes: uses.reduce((sum, use) => sum + use.memoryBytes, 0),
    processes: uses.reduce((sum, use) => sum + use.threads, 0),
    openFiles: openFiles.length === 0 ? undefined : Math.max(...openFiles),
  }
}

async function useOfOne(
  pid: number,
): Promise<(Pick<ProcessUse, 'cpuMs' | 'memoryBytes' | 'openFiles'> & { readonly threads: number }) | undefined> {
  try {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8')
    // The program's name may hold anything; what follows it does not.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    const field = (number: number): number => Number(fields[number - 3])
    const openFiles = await readdir(`/proc/${pid}/fd`).catch(() => undefined)
    return {
      cpuMs: ((field(14) + field(15)) * 1_000) / ticksPerSecond,
      memoryBytes: field(24) * pageBytes,
      threads: field(20),
      openFiles: openFiles?.length,
    }
  } catch {
    return undefined
  }
}

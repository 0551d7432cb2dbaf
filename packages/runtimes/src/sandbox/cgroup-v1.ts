import { mkdirSync, readFileSync, rmdirSync } from 'node:fs'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { abandonedGroups, addMember, endGroup, groupName, membersOf, readCounts } from './control-files.ts'
import type { Controller, GroupLimits, ResourceGroup, ResourceGroups } from './resource-group.ts'

/** Long enough for a burst of parallel threads at start to be over before it is held back, µs. */
const cpuPeriodUs = 100_000
/** The kernel takes no less, µs. */
const leastQuotaUs = 1_000

const mechanisms: Readonly<Record<Controller, string>> = {
  memory: 'cgroup v1 memory.limit_in_bytes',
  cpu: 'cgroup v1 cpu.cfs_quota_us',
  pids: 'cgroup v1 pids.max',
}

let made = 0

/** Groups of version 1, where this process may make some below its own; undefined where it may not. */
export function cgroupV1(): ResourceGroups | undefined {
  const parents = new Map<string, string>()
  for (const controller of [...(Object.keys(mechanisms) as Controller[]), 'cpuacct']) {
    const directory = ownDirectory(controller)
    if (directory !== undefined && mayMakeGroups(directory)) parents.set(controller, directory)
  }
  const controllers = (Object.keys(mechanisms) as Controller[]).filter((controller) => parents.has(controller))
  if (controllers.length === 0) return undefined
  const distinct = [...new Set(parents.values())]
  for (const name of new Set(distinct.flatMap(abandonedGroups))) void endGroup(distinct.map((parent) => join(parent, name)))
  return {
    name: 'cgroup v1',
    mechanisms: Object.fromEntries(controllers.map((controller) => [controller, mechanisms[controller]])),
    make: (limits) => makeGroup(parents, limits),
  }
}

async function makeGroup(parents: ReadonlyMap<string, string>, limits: GroupLimits): Promise<ResourceGroup> {
  made += 1
  const name = groupName(made)
  const at = new Map([...parents].map(([controller, parent]) => [controller, join(parent, name)]))
  const directories = [...new Set(at.values())]
  const set = async (controller: string, file: string, value: number): Promise<void> => {
    const directory = at.get(controller)
    if (directory !== undefined) await writeFile(join(directory, file), String(value), { flag: 'r+' })
  }
  const count = async (controller: string, file: string): Promise<Readonly<Record<string, number>>> => {
    const directory = at.get(controller)
    return directory === undefined ? {} : readCounts(join(directory, file))
  }
  try {
    await Promise.all(directories.map((directory) => mkdir(directory)))
    const limitMemory = async (): Promise<void> => {
      await set('memory', 'memory.limit_in_bytes', limits.memoryBytes)
      // Not every kernel counts swap.
      await set('memory', 'memory.memsw.limit_in_bytes', limits.memoryBytes).catch(() => undefined)
    }
    const limitCpu = async (): Promise<void> => {
      await set('cpu', 'cpu.cfs_period_us', cpuPeriodUs)
      await set('cpu', 'cpu.cfs_quota_us', Math.max(leastQuotaUs, (limits.cpuPercent * cpuPeriodUs) / 100))
    }
    // All are over before a group that could not be limited is ended.
    const done = await Promise.allSettled([limitMemory(), set('pids', 'pids.max', limits.processes), limitCpu()])
    for (const one of done) if (one.status === 'rejected') throw one.reason
  } catch (error) {
    await endGroup(directories)
    throw error
  }
  return {
    add: async (pid) => {
      await Promise.all(directories.map((directory) => addMember(directory, pid)))
    },
    members: () => membersOf(directories[0] ?? ''),
    counts: async () => {
      const [memory, pids, cpu] = await Promise.all([
        count('memory', 'memory.oom_control'),
        count('pids', 'pids.events'),
        count('cpu', 'cpu.stat'),
      ])
      return {
        cpuMs: await cpuTime(at.get('cpuacct')),
        outOfMemory: memory['oom_kill'] ?? 0,
        processesRefused: pids['max'] ?? 0,
        cpuPeriods: cpu['nr_periods'] ?? 0,
        cpuThrottled: cpu['nr_throttled'] ?? 0,
      }
    },
    end: () => endGroup(directories),
  }
}

async function cpuTime(directory: string | undefined): Promise<number | undefined> {
  if (directory === undefined) return undefined
  const text = await readFile(join(directory, 'cpuacct.usage'), 'utf8').catch(() => undefined)
  return text === undefined ? undefined : Number(text) / 1e6
}

/** Where this process's own groups are. */
export function groupParents(): readonly string[] {
  const directories = [...(Object.keys(mechanisms) as Controller[]), 'cpuacct'].map((controller) => ownDirectory(controller))
  return [...new Set(directories.filter((directory) => directory !== undefined))]
}

/** Where this process's own group of a controller is mounted. Source: cgroups(7), proc(5) `mountinfo`. */
function ownDirectory(controller: string): string | undefined {
  const own = /^\d+:([^:]*):(.*)$/
  const path = linesOf('/proc/self/cgroup')
    .map((line) => own.exec(line))
    .find((found) => found?.[1]?.split(',').includes(controller))?.[2]
  const mount = linesOf('/proc/self/mountinfo')
    .map((line) => line.split(' '))
    .find((fields) => fields.at(-3) === 'cgroup' && fields.at(-1)?.split(',').includes(controller))
  if (path === undefined || mount === undefined) return undefined
  const [root = '', point = ''] = [mount[3], mount[4]]
  // In a container the mount may show only part of the tree.
  if (root !== '/' && path !== root && !path.startsWith(`${root}/`)) return undefined
  return join(point, root === '/' ? path : path.slice(root.length))
}

function mayMakeGroups(directory: string): boolean {
  const trial = join(directory, groupName(0))
  try {
    mkdirSync(trial)
    rmdirSync(trial)
    return true
  } catch {
    return false
  }
}

function linesOf(path: string): readonly string[] {
  try {
    return readFileSync(path, 'utf8').trim().split('\n')
  } catch {
    return []
  }
}

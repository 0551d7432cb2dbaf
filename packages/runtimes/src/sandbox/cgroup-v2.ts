import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { abandonedGroups, addMember, endGroup, groupName, membersOf, readCounts } from './control-files.ts'
import type { Controller, GroupCounts, GroupLimits, ResourceGroup, ResourceGroups } from './resource-group.ts'

const mechanisms: Readonly<Record<Controller, string>> = {
  memory: 'cgroup v2 memory.max',
  cpu: 'cgroup v2 cpu.max',
  pids: 'cgroup v2 pids.max',
}
const cpuPeriodUs = 100_000
const leastQuotaUs = 1_000

let made = 0

/**
 * Groups of version 2 below this process's own, where that was given to it (systemd: `Delegate=yes`); undefined where it
 * was not. A group with members passes no controllers on, so this process moves into a group of its own beside its
 * plugins' when it is alone; otherwise somebody else has to do that. Source: Documentation/admin-guide/cgroup-v2.rst.
 */
export function cgroupV2(directory: string | undefined = ownGroup()): ResourceGroups | undefined {
  if (directory === undefined) return undefined
  try {
    const there = wordsOf(join(directory, 'cgroup.controllers'))
    const wanted = (Object.keys(mechanisms) as Controller[]).filter((controller) => there.includes(controller))
    if (wanted.length === 0) return undefined
    passOn(directory, wanted)
    const passed = wordsOf(join(directory, 'cgroup.subtree_control'))
    const controllers = wanted.filter((controller) => passed.includes(controller))
    if (controllers.length === 0) return undefined
    for (const name of abandonedGroups(directory)) void endGroup([join(directory, name)])
    return {
      name: 'cgroup v2',
      mechanisms: Object.fromEntries(controllers.map((controller) => [controller, mechanisms[controller]])),
      make: (limits) => makeGroup(directory, controllers, limits),
    }
  } catch {
    // Not ours to change.
    return undefined
  }
}

async function makeGroup(parent: string, controllers: readonly Controller[], limits: GroupLimits): Promise<ResourceGroup> {
  made += 1
  const directory = join(parent, groupName(made))
  const set = (file: string, value: string): Promise<void> => writeFile(join(directory, file), value, { flag: 'r+' })
  await mkdir(directory)
  try {
    if (controllers.includes('memory')) {
      await set('memory.max', String(limits.memoryBytes))
      await set('memory.swap.max', '0').catch(() => undefined)
      await set('memory.oom.group', '1').catch(() => undefined)
    }
    if (controllers.includes('pids')) await set('pids.max', String(limits.processes))
    if (controllers.includes('cpu')) {
      await set('cpu.max', `${Math.max(leastQuotaUs, (limits.cpuPercent * cpuPeriodUs) / 100)} ${cpuPeriodUs}`)
    }
  } catch (error) {
    await endGroup([directory])
    throw error
  }
  return {
    add: (pid) => addMember(directory, pid),
    members: () => membersOf(directory),
    counts: () => countsOf(directory),
    end: () => endGroup([directory]),
  }
}

/** What the kernel counted for a group; nothing where it is gone. */
export async function countsOf(directory: string): Promise<GroupCounts> {
  const [memory = {}, pids = {}, cpu = {}] = await Promise.all(
    ['memory.events', 'pids.events', 'cpu.stat'].map((file) => readCounts(join(directory, file))),
  )
  const usage = cpu['usage_usec']
  return {
    cpuMs: usage === undefined ? undefined : usage / 1_000,
    outOfMemory: memory['oom_kill'] ?? 0,
    processesRefused: pids['max'] ?? 0,
    cpuPeriods: cpu['nr_periods'] ?? 0,
    cpuThrottled: cpu['nr_throttled'] ?? 0,
  }
}

/** Lets groups below `directory` have these controllers. */
function passOn(directory: string, wanted: readonly Controller[]): void {
  const control = join(directory, 'cgroup.subtree_control')
  const passed = wordsOf(control)
  if (wanted.every((controller) => passed.includes(controller))) return
  const text = wanted.map((controller) => `+${controller}`).join(' ')
  // Only the root of the hierarchy has no such file, and it may have members.
  if (!existsSync(join(directory, 'cgroup.type'))) return writeFileSync(control, text)
  if (wordsOf(join(directory, 'cgroup.procs')).some((pid) => Number(pid) !== process.pid)) return
  const leaf = join(directory, groupName(0))
  mkdirSync(leaf)
  try {
    writeFileSync(join(leaf, 'cgroup.procs'), String(process.pid))
    writeFileSync(control, text)
  } catch (error) {
    writeFileSync(join(directory, 'cgroup.procs'), String(process.pid))
    rmdirSync(leaf)
    throw error
  }
}

/** Where this process's own group is mounted. */
export function ownGroup(): string | undefined {
  try {
    const path = /^0::(.*)$/m.exec(readFileSync('/proc/self/cgroup', 'utf8'))?.[1]
    return path === undefined ? undefined : groupDirectory(path)
  } catch {
    return undefined
  }
}

/** Where a group of version 2 is mounted; undefined where it is not, as in a container that sees a part of them. */
export function groupDirectory(path: string): string | undefined {
  const mounts = readFileSync('/proc/self/mountinfo', 'utf8').split('\n')
  const fields = mounts.map((line) => line.split(' ')).find((found) => found.at(-3) === 'cgroup2')
  const [root = '/', point] = [fields?.[3], fields?.[4]]
  if (point === undefined || (root !== '/' && !`${path}/`.startsWith(`${root}/`))) return undefined
  return join(point, root === '/' ? path : path.slice(root.length))
}

function wordsOf(path: string): readonly string[] {
  return readFileSync(path, 'utf8').split(/\s+/).filter(Boolean)
}

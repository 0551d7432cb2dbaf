import { readdirSync, readFileSync } from 'node:fs'
import { readFile, rmdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'

/** Looks again at a group that is ending, ms, and for how long at most. */
const againMs = 5
const endMs = 5_000

/** The members of a group; none when it is gone. */
export async function membersOf(directory: string): Promise<readonly number[]> {
  const text = await readFile(join(directory, 'cgroup.procs'), 'utf8').catch(() => '')
  return text.split('\n').flatMap((line) => (line === '' ? [] : [Number(line)]))
}

/** Makes a process a member of a group. */
export function addMember(directory: string, pid: number): Promise<void> {
  return writeFile(join(directory, 'cgroup.procs'), String(pid), { flag: 'r+' })
}

/** `name value` lines of a control file as an object; empty when it is not there. */
export async function readCounts(path: string): Promise<Readonly<Record<string, number>>> {
  const text = await readFile(path, 'utf8').catch(() => '')
  return Object.fromEntries(text.split('\n').flatMap((line) => (line.includes(' ') ? [entryOf(line)] : [])))
}

function entryOf(line: string): readonly [string, number] {
  const [name = '', value = ''] = line.split(' ')
  return [name, Number(value)]
}

/** Ends every member of one group in all its directories, and removes these. */
export async function endGroup(directories: readonly string[]): Promise<void> {
  const [first] = directories
  if (first === undefined) return
  const until = performance.now() + endMs
  // Version 2 has one file for it, which no new process escapes.
  await writeFile(join(first, 'cgroup.kill'), '1', { flag: 'r+' }).catch(() => undefined)
  for (;;) {
    const members = (await Promise.all(directories.map(membersOf))).flat()
    for (const pid of members) killQuietly(pid)
    const left = await Promise.all(directories.map((directory) => rmdir(directory).then(() => false, isInUse)))
    if (!left.includes(true) || performance.now() > until) return
    await delay(againMs)
  }
}

/** Ends every member of a group that somebody else removes. */
export async function endMembers(directory: string): Promise<void> {
  const until = performance.now() + endMs
  for (let members = await membersOf(directory); members.length > 0; members = await membersOf(directory)) {
    for (const pid of members) killQuietly(pid)
    if (performance.now() > until) return
    await delay(againMs)
  }
}

function isInUse(error: unknown): boolean {
  return Reflect.get(Object(error), 'code') === 'EBUSY'
}

function killQuietly(pid: number): void {
  try {
    if (pid !== process.pid) process.kill(pid, 'SIGKILL')
  } catch {
    // It ended meanwhile.
  }
}

/** A name for a group that says which process made it. */
export function groupName(number: number): string {
  return `${namePrefix()}-${number}`
}

/** How the names of what this process leaves on the machine begin. */
export function namePrefix(): string {
  return `backplane-${process.pid}-${startTimeOf(process.pid) ?? 0}`
}

/** Whether a name says that the process that made it is gone. */
export function isAbandoned(name: string): boolean {
  const [, pid, startTime] = /^backplane-(\d+)-(\d+)-\w+$/.exec(name) ?? []
  return pid !== undefined && startTimeOf(Number(pid)) !== Number(startTime)
}

/** Groups in `parent` whose maker is gone: it was killed, and what it left has to be removed. */
export function abandonedGroups(parent: string): readonly string[] {
  return readdirSync(parent).filter(isAbandoned)
}

/** When a process started, in clock ticks since boot: with its id this names it once and for all. */
export function startTimeOf(pid: number): number | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19])
  } catch {
    return undefined
  }
}

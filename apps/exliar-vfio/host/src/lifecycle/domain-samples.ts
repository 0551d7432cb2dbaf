import { readdir, readFile } from 'node:fs/promises'
import type { MetricsSample } from '@exliar-vfio/points'
import { exliarErrors } from '../errors.ts'

/** Time of a processor in ticks, and when that was, ms. */
interface Spent {
  readonly pid: number
  readonly ticks: number
  readonly atMs: number
}

const ticksPerSecond = 100

/**
 * Makes samples of what the processes of virtual machines use; each sample is told from the one before. Errors:
 * `DOMAIN_NOT_RUNNING`. Source: proc(5); QEMU names its process `guest=NAME` and its virtual processors `CPU 0/KVM`.
 */
export function domainSamples(proc = '/proc', now: () => number = Date.now): (domain: string) => Promise<MetricsSample> {
  const before = new Map<string, Spent>()
  return async (domain) => {
    const pid = await processOf(proc, domain)
    if (pid === undefined) {
      before.delete(domain)
      throw exliarErrors.error('DOMAIN_NOT_RUNNING', { domain })
    }
    const spent = { pid, ticks: await ticksOf(proc, pid), atMs: now() }
    const last = before.get(domain)
    before.set(domain, spent)
    return {
      cpu_percent: last?.pid === pid ? cpuPercent(last, spent, await processorsOf(proc, pid)) : null,
      memory_mb: await memoryMb(proc, pid),
      // The card is the guest's alone; its counters are inside the guest.
      gpu_busy_percent: null,
    }
  }
}

async function processOf(proc: string, domain: string): Promise<number | undefined> {
  const pids = (await readdir(proc)).filter((name) => /^\d+$/.test(name))
  for (const pid of pids) {
    const args = (await textOf(`${proc}/${pid}/cmdline`)).split('\0')
    const name = args[args.indexOf('-name') + 1] ?? ''
    if (/(^|\/)qemu[^/]*$/.test(args[0] ?? '') && guestOf(name) === domain) {
      return Number(pid)
    }
  }
  return undefined
}

/** QEMU parts its options at single commas; one of a name is doubled. */
function guestOf(options: string): string {
  const [first = ''] = /^(?:[^,]|,,)*/.exec(options) ?? []
  return first.replace(/^guest=/, '').replaceAll(',,', ',')
}

async function ticksOf(proc: string, pid: number): Promise<number> {
  const text = await textOf(`${proc}/${pid}/stat`)
  // The name stands in parentheses and may hold any character.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  return Number(fields[11] ?? 0) + Number(fields[12] ?? 0)
}

async function processorsOf(proc: string, pid: number): Promise<number> {
  const threads = await readdir(`${proc}/${pid}/task`).catch(() => [])
  const names = await Promise.all(threads.map((thread) => textOf(`${proc}/${pid}/task/${thread}/comm`)))
  return Math.max(1, names.filter((name) => /^CPU \d+\//.test(name)).length)
}

function cpuPercent(last: Spent, spent: Spent, processors: number): number | null {
  const seconds = (spent.atMs - last.atMs) / 1_000
  if (seconds <= 0) return null
  const busy = (spent.ticks - last.ticks) / ticksPerSecond
  return Math.max(0, Math.round((busy / seconds / processors) * 1_000) / 10)
}

async function memoryMb(proc: string, pid: number): Promise<number | null> {
  const [, kibibytes] = /^VmRSS:\s+(\d+) kB$/m.exec(await textOf(`${proc}/${pid}/status`)) ?? []
  return kibibytes === undefined ? null : Math.round((Number(kibibytes) * 1_024) / 1e6)
}

/** What is gone meanwhile is empty. */
function textOf(path: string): Promise<string> {
  return readFile(path, 'utf8').catch(() => '')
}

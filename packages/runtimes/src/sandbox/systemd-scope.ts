import { execFile, spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'
import { findProgram } from '../confined/launcher.ts'
import { countsOf, groupDirectory } from './cgroup-v2.ts'
import { endMembers, groupName, membersOf } from './control-files.ts'
import type { Controller, GroupLimits, ResourceGroup, ResourceGroups } from './resource-group.ts'

/** Which systemd is asked: the machine's, or the one of the host's own user. */
export type Manager = 'system' | 'user'

/** How scopes are asked for. */
export interface ScopeOptions {
  /** Path of `busctl`. Default: where it is found. */
  readonly busctl?: string | undefined
  /** Is there on every machine that systemd started. Source: sd_booted(3). */
  readonly mark?: string
  /** Default: the machine's for root, else the user's. */
  readonly manager?: Manager
  /** Longest one question may take, ms. Default 10,000. */
  readonly callMs?: number
}

const mechanisms: Readonly<Record<Controller, string>> = {
  memory: 'systemd scope MemoryMax',
  cpu: 'systemd scope CPUQuota',
  pids: 'systemd scope TasksMax',
}
/** What a limit becomes, by which it is seen that systemd passed it on. */
const files: Readonly<Record<Controller, string>> = { memory: 'memory.max', cpu: 'cpu.max', pids: 'pids.max' }
const trialLimits: GroupLimits = { memoryBytes: 64 * 1024 ** 2, cpuPercent: 50, processes: 16 }

const usualCallMs = 10_000
/** How often it is looked whether a process is in its scope yet, ms. */
const lookMs = 5
const cpuPeriodUs = 100_000

const run = promisify(execFile)
const service = ['org.freedesktop.systemd1', '/org/freedesktop/systemd1', 'org.freedesktop.systemd1.Manager']

let made = 0

/** What `busctl` is told to put processes into a new scope with these limits. Source: org.freedesktop.systemd1(5), busctl(1). */
export function startScope(
  manager: Manager,
  unit: string,
  pids: readonly (number | string)[],
  limits: GroupLimits,
): readonly string[] {
  const { memoryBytes, cpuPercent, processes } = limits
  const properties = [
    ['PIDs', 'au', pids.length, ...pids],
    ['MemoryMax', 't', memoryBytes],
    ['MemorySwapMax', 't', 0],
    ['CPUQuotaPerSecUSec', 't', Math.round(cpuPercent * 10_000)],
    ['CPUQuotaPeriodUSec', 't', cpuPeriodUs],
    ['TasksMax', 't', processes],
    // Else no second process may be put into it.
    ['Delegate', 'b', 'true'],
    ['CollectMode', 's', 'inactive-or-failed'],
  ]
  const values = [unit, 'fail', properties.length, ...properties.flat(), 0]
  return [`--${manager}`, '--quiet', 'call', ...service, 'StartTransientUnit', 'ssa(sv)a(sa(sv))', ...values.map(String)]
}

/** What `busctl` is told to put another process into a scope. */
export function joinScope(manager: Manager, unit: string, pid: number): readonly string[] {
  return [`--${manager}`, '--quiet', 'call', ...service, 'AttachProcessesToUnit', 'ssau', unit, '', '1', String(pid)]
}

/**
 * Groups that systemd makes for a process that may make none itself: one transient scope for each plugin. Undefined where
 * systemd did not start this machine, or refuses. It is tried: a shell is put into a scope, and its limits are read back.
 * Takes 100 ms where systemd answers, nothing where there is none.
 */
export function systemdScopes(options: ScopeOptions = {}): ResourceGroups | undefined {
  const { busctl = findProgram('busctl'), mark = '/run/systemd/system', callMs = usualCallMs } = options
  const manager = options.manager ?? (process.getuid?.() === 0 ? 'system' : 'user')
  const mount = groupDirectory('/')
  if (busctl === undefined || mount === undefined || !existsSync(mark)) return undefined
  const controllers = tried({ busctl, manager, mount, callMs })
  if (controllers.length === 0) return undefined
  return {
    name: 'systemd scope',
    mechanisms: Object.fromEntries(controllers.map((controller) => [controller, mechanisms[controller]])),
    make: (limits) => Promise.resolve(makeScope({ busctl, manager, mount, callMs }, limits)),
  }
}

/** Which limits a scope really gets. */
function tried({ busctl, manager, mount, callMs }: Scopes): readonly Controller[] {
  const unit = `${groupName(0)}.scope`
  const call = startScope(manager, unit, ['PID'], trialLimits)
  const controllers = Object.keys(files) as Controller[]
  const script = [
    'unit=$1; mount=$2; shift 2',
    // The shell's own process is the one that is moved.
    'for word do shift; [ "$word" = PID ] && word=$$; set -- "$@" "$word"; done',
    '"$@" || exit 1',
    'tries=0; until grep -q "/$unit$" /proc/$$/cgroup; do tries=$((tries + 1)); [ $tries -lt 40 ] || exit 1; sleep 0.05; done',
    'at=$mount$(sed -n s/^0:://p /proc/$$/cgroup)',
    ...controllers.map((controller) => `echo "${controller} $(cat "$at/${files[controller]}" 2>/dev/null)"`),
  ].join('\n')
  const args = ['-c', script, 'sh', unit, mount, busctl, ...call]
  const { stdout, status } = spawnSync('/bin/sh', args, { encoding: 'utf8', timeout: callMs, env: busEnvironment() })
  if (status !== 0) return []
  return controllers.filter((controller) => new RegExp(`^${controller} \\d`, 'm').test(stdout))
}

interface Scopes {
  readonly busctl: string
  readonly manager: Manager
  readonly mount: string
  readonly callMs: number
}

/** The scope is there with its first member, and goes with its last. */
function makeScope({ busctl, manager, mount, callMs }: Scopes, limits: GroupLimits): ResourceGroup {
  made += 1
  const unit = `${groupName(made)}.scope`
  let directory: string | undefined
  const call = async (args: readonly string[]): Promise<void> => {
    await run(busctl, args, { timeout: callMs, env: busEnvironment() })
  }
  return {
    add: async (pid) => {
      await call(directory === undefined ? startScope(manager, unit, [pid], limits) : joinScope(manager, unit, pid))
      directory = join(mount, await groupOnceIn(pid, unit, callMs))
    },
    members: async () => (directory === undefined ? [] : membersOf(directory)),
    counts: () => countsOf(directory ?? ''),
    end: async () => (directory === undefined ? undefined : endMembers(directory)),
  }
}

/** systemd answers before it has moved the process. */
async function groupOnceIn(pid: number, unit: string, callMs: number): Promise<string> {
  const until = performance.now() + callMs
  for (;;) {
    const path = /^0::(.*)$/m.exec(await readFile(`/proc/${pid}/cgroup`, 'utf8'))?.[1]
    if (path?.endsWith(`/${unit}`) === true) return path
    if (performance.now() > until) throw new Error(`systemd did not put the process into ${unit}`)
    await delay(lookMs)
  }
}

/** What `busctl` finds its bus by, and nothing else of the host's environment. */
function busEnvironment(): Record<string, string> {
  const { XDG_RUNTIME_DIR: directory, DBUS_SESSION_BUS_ADDRESS: address } = process.env
  return {
    PATH: '/usr/local/bin:/usr/bin:/bin',
    ...(directory === undefined ? {} : { XDG_RUNTIME_DIR: directory }),
    ...(address === undefined ? {} : { DBUS_SESSION_BUS_ADDRESS: address }),
  }
}

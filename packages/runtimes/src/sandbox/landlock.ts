import { spawnSync } from 'node:child_process'
import { realpathSync } from 'node:fs'
import type { LandlockBoot } from './landlock-main.ts'
import { nodeFiles } from './program-files.ts'
import { seccompFilter } from './seccomp-filter.ts'
import { syscallNumber, type TableArchitecture } from './syscall-numbers.ts'

/** The first that also keeps from signals and abstract sockets. */
export const leastLandlockAbi = 6

const trialMs = 10_000

let known: { readonly abi: number } | undefined

/** The version of Landlock the kernel has; 0 where it has none, or Node cannot ask it. Asked once; takes 40 ms. */
export function landlockAbi(): number {
  known ??= { abi: ask() }
  return known.abi
}

/** Whether Landlock can stand in for namespaces here: an ordinary user, a Node that can ask for it, a kernel that has it. */
export function canUseLandlock(): boolean {
  return process.getuid?.() !== 0 && typeof process.execve === 'function' && landlockAbi() >= leastLandlockAbi
}

function ask(): number {
  if (!['x64', 'arm64'].includes(process.arch)) return 0
  const number = syscallNumber('landlock_create_ruleset', process.arch as TableArchitecture)
  const code = `const { functions } = require('node:ffi').dlopen(null, { syscall: { arguments: ['i64', 'i64', 'i64', 'i64'], return: 'i64' } })
console.log(String(functions.syscall(${number}n, 0n, 0n, 1n)))`
  const { stdout } = spawnSync(process.execPath, ['--no-warnings', '-e', code], { env: {}, encoding: 'utf8', timeout: trialMs })
  return Math.max(0, Number(stdout.trim() || 0))
}

/** What {@link landlockCommand} is given. */
export interface LandlockOptions {
  /** Path of the launcher's program. */
  readonly launcher: string
  readonly reads: readonly string[]
  readonly writes: readonly string[]
  /** Descriptors that the command gets, beside the standard ones. */
  readonly keep: readonly number[]
}

/**
 * A command that gives up, for good, all files but these, every connection, signals to others and most system calls, and
 * becomes what follows it. There is no root of its own: names and sizes of files can still be asked for, and the process
 * table be counted.
 */
export function landlockCommand({ launcher, reads, writes, keep }: LandlockOptions): readonly string[] {
  const arch = process.arch as TableArchitecture
  const number = (name: string): number => syscallNumber(name, arch) ?? -1
  const boot: LandlockBoot = {
    reads: [...new Set([...nodeFiles().map((path) => realpathSync(path)), '/dev/urandom', ...reads])],
    writes: ['/dev/null', ...writes],
    keep,
    filter: Buffer.from(seccompFilter({ arch, width: 'narrow' })).toString('base64'),
    numbers: {
      createRuleset: number('landlock_create_ruleset'),
      addRule: number('landlock_add_rule'),
      restrictSelf: number('landlock_restrict_self'),
      prctl: number('prctl'),
      fcntl: number('fcntl'),
    },
  }
  return [process.execPath, '--no-warnings', launcher, JSON.stringify(boot)]
}

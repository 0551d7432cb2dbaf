import { spawnSync } from 'node:child_process'
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { findProgram } from '../confined/launcher.ts'
import { bubblewrap } from './bubblewrap.ts'
import { cgroupV1 } from './cgroup-v1.ts'
import { cgroupV2 } from './cgroup-v2.ts'
import { launchChain } from './launch-chain.ts'
import { nodeFiles } from './program-files.ts'
import { hiddenPaths } from './hidden-paths.ts'
import { canUseLandlock, landlockAbi } from './landlock.ts'
import type { ResourceGroups } from './resource-group.ts'
import { hasFilterFor, seccompFilter } from './seccomp-filter.ts'
import { defaultUids, type UidRange } from './service-user.ts'
import { systemdScopes } from './systemd-scope.ts'

/** Programs a sandbox is built with. */
export interface SandboxPrograms {
  /** Undefined: Landlock stands in for it. */
  readonly bwrap: string | undefined
  readonly shell: string
  readonly setpriv: string
  readonly unshare: string
  readonly mount: string
}

/** Whether this machine can build the whole sandbox, tried and not guessed. */
export type SandboxTrial =
  | { readonly works: true; readonly programs: SandboxPrograms; readonly version: string }
  /** `missing` is a sentence's part; `install` the command that helps, where there is one. */
  | {
      readonly works: false
      readonly missing: string
      readonly install?: string
      /** What can be built instead, and the version of Landlock it is built with. */
      readonly weaker?: { readonly programs: SandboxPrograms; readonly abi: number }
    }

/** How the trial is made. */
export interface TrialOptions {
  /** Path of `bwrap`; false to do without. */
  readonly bwrap?: string | false
  readonly uids?: UidRange
  /** False to do without Landlock where bubblewrap builds nothing. */
  readonly landlock?: boolean
}

const trialMs = 10_000

/** Builds a sandbox as a plugin gets it, once, and runs `node --version` in it. Takes some 30 ms; leaves nothing behind. */
export function trySandbox(options: TrialOptions = {}): SandboxTrial {
  const trial = tryBubblewrap(options)
  if (trial.works || options.landlock === false || !canUseLandlock()) return trial
  const [shell, setpriv] = [findProgram('sh'), findProgram('setpriv')]
  if (shell === undefined || setpriv === undefined) return trial
  const programs = { bwrap: undefined, shell, setpriv, unshare: '', mount: '' }
  return { ...trial, weaker: { programs, abi: landlockAbi() } }
}

function tryBubblewrap({ bwrap, uids = defaultUids }: TrialOptions): SandboxTrial {
  const program = bwrap === false ? undefined : (bwrap ?? findProgram('bwrap'))
  if (program === undefined) return missing('bubblewrap is missing', 'apt-get install bubblewrap')
  const [shell, mount] = [findProgram('sh'), findProgram('mount')]
  const [setpriv, unshare] = [findProgram('setpriv'), findProgram('unshare')]
  if (shell === undefined) return missing('there is no sh', 'apt-get install dash')
  if (mount === undefined) return missing('mount is missing', 'apt-get install mount')
  if (setpriv === undefined || unshare === undefined)
    return missing('setpriv or unshare is missing', 'apt-get install util-linux')
  if (!hasFilterFor(process.arch)) return missing(`there is no system-call filter for ${process.arch}`)
  const version = spawnSync(program, ['--version'], { encoding: 'utf8', timeout: trialMs }).stdout.trim()
  const programs = { bwrap: program, shell, setpriv, unshare, mount }
  const failure = runTrial(programs, uids)
  if (failure === undefined) return { works: true, programs, version }
  return { works: false, missing: failure, ...userNamespaceKnob() }
}

function missing(what: string, install?: string): SandboxTrial {
  return { works: false, missing: what, ...(install === undefined ? {} : { install }) }
}

function runTrial(programs: SandboxPrograms & { readonly bwrap: string }, uids: UidRange): string | undefined {
  const directory = mkdtempSync(join(tmpdir(), 'backplane-'))
  try {
    const filter = join(directory, 'filter')
    writeFileSync(filter, seccompFilter({ arch: process.arch, width: 'narrow' }))
    const descriptor = openSync(filter, 'r')
    const user = serviceUser(uids)
    using hidden = hiddenPaths(nodeFiles(), user?.uid)
    const sandbox = bubblewrap({
      program: programs.bwrap,
      view: { mounts: [], links: [] },
      programFiles: nodeFiles(),
      sourceOf: hidden.sourceOf,
      tmpBytes: 1024 ** 2,
      filter: 3,
    })
    const chain = launchChain({
      ...programs,
      table: hidden.table,
      tied: false,
      user,
      openFiles: 256,
      fileBytes: 1024 ** 2,
      addressBytes: undefined,
    })
    const [command, ...args] = [...chain, ...sandbox, process.execPath, '--version']
    const { stdout, stderr, status, error } = spawnSync(command, args, {
      env: {},
      encoding: 'utf8',
      timeout: trialMs,
      stdio: ['ignore', 'pipe', 'pipe', descriptor],
    })
    closeSync(descriptor)
    if (status === 0 && stdout.trim() === process.version) return undefined
    return `no sandbox can be built: ${error?.message ?? (stderr.trim().split('\n').at(-1) || `it ended with ${status}`)}`
  } catch (error) {
    return `no sandbox can be built: ${error instanceof Error ? error.message : String(error)}`
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

/** Root must not build a sandbox: it would stay root towards the kernel inside it. */
export function serviceUser({ first }: UidRange): { readonly uid: number; readonly gid: number } | undefined {
  return process.getuid?.() === 0 ? { uid: first, gid: first } : undefined
}

/** The setting that most often keeps an ordinary user from making a user namespace, where it is set so. */
function userNamespaceKnob(): { readonly install?: string } {
  for (const [name, forbids, allows] of [
    ['kernel.apparmor_restrict_unprivileged_userns', '1', '0'],
    ['kernel.unprivileged_userns_clone', '0', '1'],
    ['user.max_user_namespaces', '0', '15000'],
  ] as const) {
    if (readKnob(name) === forbids) return { install: `sysctl -w ${name}=${allows}` }
  }
  return {}
}

/** A kernel setting by its dotted name; undefined where the kernel has none. */
export function readKnob(name: string): string | undefined {
  try {
    return readFileSync(`/proc/sys/${name.replaceAll('.', '/')}`, 'utf8').trim()
  } catch {
    return undefined
  }
}

let trial: SandboxTrial | undefined
let groups: { readonly found: ResourceGroups | undefined } | undefined

/** {@link trySandbox} with the usual options, once for this process. */
export function sandboxTrial(): SandboxTrial {
  trial ??= trySandbox()
  return trial
}

/** The control groups of this machine, found out once for this process. */
export function resourceGroups(): ResourceGroups | undefined {
  groups ??= { found: cgroupV2() ?? cgroupV1() ?? systemdScopes() }
  return groups.found
}

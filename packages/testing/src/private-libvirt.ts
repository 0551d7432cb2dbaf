import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, chownSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { requireProgram } from './require-program.ts'

/** A libvirt daemon of the test's own, with QEMU domains that need no virtualisation in the processor. */
export interface PrivateLibvirt {
  readonly uri: string
  /** Everything of the daemon's is below; removed with it. */
  readonly root: string
  /** What the daemon takes for `/etc/libvirt/hooks` where it was asked for; otherwise nobody reads it. */
  readonly hooks: string
  /** Runs `virsh`, one command. */
  readonly virsh: (...args: string[]) => string
  /** Makes a directory below `root` that the hypervisor and the hooks may write to. */
  readonly makeDirectory: (name: string) => string
  /** Gives a file to the user that the hypervisor and the hooks run as. */
  readonly give: (path: string) => void
  /** Ends every machine that runs, then the daemon. */
  readonly stop: () => Promise<void>
}

/** What a daemon is started with. */
export interface PrivateLibvirtOptions {
  /** Runs hooks, in a view of the file system where `/etc/libvirt` is the daemon's own. Default false. */
  readonly withHooks?: boolean
}

const nobody = 65_534
const needed = [
  ['virsh', 'libvirt-clients'],
  ['libvirtd', 'libvirt-daemon'],
  ['qemu-system-x86_64', 'qemu-system-x86'],
  ['qemu-img', 'qemu-utils'],
] as const

/** Whether everything is installed that {@link startPrivateLibvirt} needs; otherwise the test is skipped. */
export function requireLibvirt(t: TestContext): boolean {
  return needed.every(([program, debianPackage]) => requireProgram(t, program, debianPackage))
}

/**
 * Starts libvirtd in session mode with all its directories below a temporary one. Root must not run a session daemon,
 * so it is run by `nobody` then. It ends by itself when nobody has asked it for a minute.
 */
export async function startPrivateLibvirt({ withHooks = false }: PrivateLibvirtOptions = {}): Promise<PrivateLibvirt> {
  const root = mkdtempSync('/tmp/libvirt-')
  chmodSync(root, 0o755)
  const give = (path: string): void => {
    if (process.getuid?.() === 0) chownSync(path, nobody, nobody)
  }
  const makeDirectory = (name: string): string => {
    const path = join(root, name)
    mkdirSync(path)
    give(path)
    return path
  }
  const [home, run, config, hooks] = ['home', 'run', 'config', 'hooks'].map(makeDirectory) as [string, string, string, string]
  // It looks whether there are any only when it starts, and which there are each time.
  writeFileSync(join(makeDirectory('hooks/qemu.d'), 'nothing'), '#!/bin/sh\n', { mode: 0o755 })
  // virtlogd is a daemon of its own that would outlive the test.
  writeFileSync(join(makeDirectory('config/libvirt'), 'qemu.conf'), 'stdio_handler = "file"\n')
  const env = {
    PATH: '/usr/sbin:/usr/bin:/sbin:/bin',
    HOME: home,
    XDG_RUNTIME_DIR: run,
    XDG_CONFIG_HOME: config,
    XDG_CACHE_HOME: home,
  }
  const [program, args] = withHooks ? insideOwnView(hooks) : ['libvirtd', daemonArguments]
  const isRoot = process.getuid?.() === 0
  const user = isRoot && !withHooks ? { uid: nobody, gid: nobody } : {}
  const daemon = spawn(program, args, { env, ...user, stdio: 'ignore', cwd: '/' })
  const [code] = (await once(daemon, 'exit')) as [number]
  if (code !== 0) throw new Error(`libvirtd did not start (${code})`)
  const uri = `qemu+unix:///session?socket=${join(run, 'libvirt', 'libvirt-sock')}`
  const virsh = (...rest: string[]): string =>
    execFileSync('virsh', ['--connect', uri, ...rest], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })
  return { uri, root, hooks, virsh, makeDirectory, give, stop: () => stop(virsh, root, run) }
}

const daemonArguments: readonly string[] = ['--daemon', '--timeout', '60']

/** The directory of the hooks is built into libvirt, and nobody else's may change: so it is mounted for the daemon alone. */
function insideOwnView(hooks: string): readonly [string, readonly string[]] {
  const mounts = 'mount -t tmpfs none /etc/libvirt && mkdir /etc/libvirt/hooks && mount --bind "$1" /etc/libvirt/hooks'
  const daemon = `libvirtd ${daemonArguments.join(' ')}`
  const [uid = 0, gid = 0] = [process.getuid?.(), process.getgid?.()]
  if (uid === 0) {
    const asNobody = `setpriv --reuid=${nobody} --regid=${nobody} --clear-groups`
    return ['unshare', ['--mount', 'sh', '-c', `${mounts} && exec ${asNobody} ${daemon}`, 'sh', hooks]]
  }
  const asBefore = `unshare --user --map-user=${uid} --map-group=${gid}`
  return ['unshare', ['--user', '--map-root-user', '--mount', 'sh', '-c', `${mounts} && exec ${asBefore} ${daemon}`, 'sh', hooks]]
}

async function stop(virsh: PrivateLibvirt['virsh'], root: string, run: string): Promise<void> {
  for (const name of virsh('list', '--name')
    .split('\n')
    .filter((line) => line !== ''))
    virsh('destroy', '--domain', name)
  const pid = Number(readFileSync(join(run, 'libvirt', 'libvirtd.pid'), 'utf8'))
  process.kill(pid)
  while (isRunning(pid)) await new Promise((resolve) => setTimeout(resolve, 20))
  // Something that a hook started may still be writing.
  rmSync(root, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 })
}

/** A zombie that nobody reaps counts as gone. */
function isRunning(pid: number): boolean {
  const status = `/proc/${pid}/status`
  return existsSync(status) && !/^State:\s+Z/m.test(readFileSync(status, 'utf8'))
}

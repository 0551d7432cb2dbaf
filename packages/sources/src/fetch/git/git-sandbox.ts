import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { dirname, isAbsolute, join } from 'node:path'

/** What git is to see of this machine. */
export interface GitView {
  /** Absolute, or a name that is found in the system's own directories. */
  readonly program: string
  /** The one folder it may write to. */
  readonly folder: string
  /** Whether it may reach the network. */
  readonly network: boolean
  /** Further files and folders it may read. */
  readonly reads: readonly string[]
}

/** Where programs are looked for. */
export const searchPath: string = '/usr/local/bin:/usr/bin:/bin'

const bubblewrapPaths = ['/usr/bin/bwrap', '/usr/local/bin/bwrap', '/bin/bwrap']
const probeMs = 5_000

/** Programs and what they are linked to. */
const system = ['/usr', '/bin', '/sbin', '/lib', '/lib64', '/lib32', '/etc/ld.so.cache', '/etc/alternatives']
/** How names become addresses, and which certificates count. The first may be a link into `/run`. */
const network = [
  '/etc/resolv.conf',
  '/etc/hosts',
  '/etc/nsswitch.conf',
  '/etc/host.conf',
  '/etc/ssl',
  '/etc/pki',
  '/etc/ca-certificates',
]

let found: { readonly bubblewrap: string | undefined } | undefined

/** The program that makes sandboxes, where it is there and may make one; looked for once. */
export function bubblewrap(): string | undefined {
  found ??= { bubblewrap: bubblewrapPaths.find((path) => existsSync(path) && works(path)) }
  return found.bubblewrap
}

function isThere(program: string): boolean {
  return isAbsolute(program) || searchPath.split(':').some((directory) => existsSync(join(directory, program)))
}

function works(path: string): boolean {
  const args = ['--unshare-all', '--ro-bind', '/', '/', '--', '/bin/true']
  return spawnSync(path, args, { env: {}, stdio: 'ignore', timeout: probeMs }).status === 0
}

/**
 * What comes before a command so that it runs in namespaces of its own: it sees the system's programs, its own folder and
 * what it reads, no other file and no other process of this machine. Empty where no sandbox can be made: then it is held
 * by its settings, its environment and its limits alone. Source: SECURITY 5.2, "run in the sandbox".
 */
export function gitSandbox({ program, folder, network: hasNetwork, reads }: GitView): readonly string[] {
  const path = bubblewrap()
  // One that is not there is told by the shell.
  if (path === undefined || !isThere(program)) return []
  const shown = [...system, ...(hasNetwork ? network : []), ...(isAbsolute(program) ? [dirname(program)] : []), ...reads]
  return [
    [path, '--unshare-all', ...(hasNetwork ? ['--share-net'] : []), '--die-with-parent', '--cap-drop', 'ALL'],
    ['--proc', '/proc', '--dev', '/dev', '--tmpfs', '/tmp', '--tmpfs', '/run'],
    shown.flatMap((one) => ['--ro-bind-try', one, one]),
    ['--bind', folder, folder, '--chdir', folder, '--'],
  ].flat()
}

import type { SandboxView } from './sandbox-view.ts'

/** One sandbox. */
export interface BubblewrapOptions {
  readonly program: string
  readonly view: SandboxView
  /** Programs and shared objects, by the paths they are looked for. */
  readonly programFiles: readonly string[]
  /** Where a path of the machine's is to be taken from; usually itself. */
  readonly sourceOf: (path: string) => string
  /** What `/tmp` and `/dev/shm` may hold together, bytes. */
  readonly tmpBytes: number
  /** Number of the descriptor of the system-call filter. */
  readonly filter: number
}

/** Room in `/dev/shm`, as a part of all; the rest is in `/tmp`. */
const shmPart = 4

/**
 * A command that runs what follows it in namespaces of its own, with a root that holds what `view` says and nothing else,
 * all of it read-only but what it may write.
 */
export function bubblewrap(options: BubblewrapOptions): readonly string[] {
  const { program, view, programFiles, sourceOf, tmpBytes, filter } = options
  const shmBytes = Math.ceil(tmpBytes / shmPart)
  const binds = view.mounts.map(({ path, source, mode }) => [bindOption[mode], sourceOf(source), path])
  // A root that was granted comes before all that is the sandbox's own.
  const roots = view.mounts[0]?.path === '/' ? binds.splice(0, 1) : []
  return [
    [program, '--unshare-all', '--die-with-parent', '--new-session', '--cap-drop', 'ALL'],
    ['--clearenv', '--hostname', 'plugin'],
    roots.flat(),
    ['--proc', '/proc', '--dev', '/dev'],
    ['--size', String(shmBytes), '--tmpfs', '/dev/shm'],
    ['--size', String(Math.max(1, tmpBytes - shmBytes)), '--tmpfs', '/tmp'],
    programFiles.flatMap((path) => ['--ro-bind', sourceOf(path), path]),
    binds.flat(),
    view.links.flatMap(({ name, target }) => ['--symlink', target, name]),
    ['--remount-ro', '/dev', '--remount-ro', '/', '--chdir', '/', '--seccomp', String(filter), '--'],
  ].flat()
}

const bindOption = { read: '--ro-bind', write: '--bind', device: '--dev-bind' } as const

/** What a process is held to before its sandbox is built. */
export interface LaunchChain {
  /** Sets limits of one process. */
  readonly shell: string
  /** Becomes another user. */
  readonly setpriv: string
  /** `unshare` and `mount` bind what that user cannot reach by name; a table of mounts, or undefined for none. */
  readonly unshare: string
  readonly mount: string
  readonly table: string | undefined
  /** Whether what comes next does not tie itself to its parent's life. */
  readonly tied: boolean
  /** User to become; undefined to stay. */
  readonly user: { readonly uid: number; readonly gid: number } | undefined
  readonly openFiles: number
  readonly fileBytes: number
  /** Of address space; undefined where a control group counts memory. */
  readonly addressBytes: number | undefined
}

/**
 * Signals that a terminal or a service manager sends to everybody at once must not end a sandbox: its host decides. What
 * is ignored stays so through every program of the chain; Node gives it back to programs it starts.
 */
const script = [
  'trap "" INT TERM HUP',
  'ulimit -c 0 && ulimit -n "$1" && ulimit -f "$2" || exit 77',
  '[ -z "$3" ] || ulimit -v "$3" || exit 77',
  '[ -z "$5" ] || "$4" --no-mtab --no-canonicalize --all --fstab "$5" || exit 77',
  'shift 5',
  'exec "$@"',
].join('; ')

/** A shell counts the size of files in blocks, and address space in kibibytes. Source: POSIX, ulimit. */
const blockBytes = 512

/** The command that comes before the sandbox's own. Every program more costs a start a millisecond. */
export function launchChain(chain: LaunchChain): readonly string[] {
  const { shell, setpriv, unshare, mount, table, tied, user, openFiles, fileBytes, addressBytes } = chain
  const blocks = String(Math.ceil(fileBytes / blockBytes))
  const kibibytes = addressBytes === undefined ? '' : String(Math.ceil(addressBytes / 1_024))
  const become = user === undefined ? [] : [`--reuid=${user.uid}`, `--regid=${user.gid}`, '--clear-groups']
  return [
    table === undefined ? [] : [unshare, '--mount', '--'],
    [shell, '-c', script, 'sh', String(openFiles), blocks, kibibytes, mount, table ?? ''],
    user === undefined && !tied ? [] : [setpriv, ...become, '--pdeathsig', 'KILL', '--'],
  ].flat()
}

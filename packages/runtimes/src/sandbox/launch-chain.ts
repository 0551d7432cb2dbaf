/** What a process is held to before its sandbox is built. */
export interface LaunchChain {
  /** `/bin/sh` joins the groups, `setpriv` becomes another user, `prlimit` sets limits of one process. */
  readonly shell: string
  readonly setpriv: string
  readonly prlimit: string
  /** `unshare` and `mount` bind what the user cannot reach by name; a table of mounts, or undefined for none. */
  readonly unshare: string
  readonly mount: string
  readonly table: string | undefined
  /** Files of control groups to join. */
  readonly joins: readonly string[]
  /** User to become; undefined to stay. */
  readonly uid: number | undefined
  readonly openFiles: number
  readonly fileBytes: number
  /** Of address space; undefined where a control group counts memory. */
  readonly addressBytes: number | undefined
}

/**
 * Signals that a terminal or a service manager sends to everybody at once must not end a sandbox: its host decides. What
 * is ignored stays so through every program of the chain; Node gives it back to programs it starts.
 */
const join = 'trap "" INT TERM HUP; while [ "$1" != -- ]; do echo 0 > "$1" || exit 77; shift; done; shift; exec "$@"'

/** The command that comes before the sandbox's own. */
export function launchChain(chain: LaunchChain): readonly string[] {
  const { shell, setpriv, prlimit, unshare, mount, table, joins, uid, openFiles, fileBytes, addressBytes } = chain
  const user = uid === undefined ? [] : ['--reuid', String(uid), '--regid', String(uid), '--clear-groups', '--inh-caps=-all']
  const mounted = 'mount=$1 table=$2; shift 2; "$mount" --all --fstab "$table" || exit 77; exec "$@"'
  const binding = table === undefined ? [] : [unshare, '--mount', '--', shell, '-c', mounted, 'sh', mount, table]
  return [
    [shell, '-c', join, 'sh', ...joins, '--'],
    binding,
    [setpriv, ...user, '--pdeathsig', 'KILL', '--'],
    [prlimit, `--nofile=${openFiles}`, `--fsize=${fileBytes}`, '--core=0'],
    addressBytes === undefined ? [] : [`--as=${addressBytes}`],
    ['--'],
  ].flat()
}

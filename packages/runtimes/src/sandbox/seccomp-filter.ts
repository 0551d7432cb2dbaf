import { assemble, type Verdict } from './bpf.ts'
import { syscallNumber, tableArchitectures, type TableArchitecture } from './syscall-numbers.ts'

/** Which system calls a plugin's processes may make. */
export interface FilterOptions {
  /** As `process.arch` says it. */
  readonly arch: string
  /** `narrow`: only what a JavaScript program needs · `wide`: also what other programs use, without what breaks out. */
  readonly width: 'narrow' | 'wide'
  /** Whether the process stays the only one: it may have threads, and start nothing. */
  readonly alone?: boolean
}

const eperm = 1
const enosys = 38
const eafnosupport = 97

/** Flags of `clone`. Source: linux/sched.h. */
const newNamespaces = 0x7e02_0080
const ofAThread = 0x1_0000

/** How the kernel names the architecture whose rules a call was made by. Source: linux/audit.h. */
const auditArchitectures: Readonly<Record<TableArchitecture, number>> = { x64: 0xc000_003e, arm64: 0xc000_00b7 }
/**
 * From here on nobody has looked at what a call does: newer ones of both architectures, which share their numbers, and on
 * x86_64 another table. Programs fall back, as on a kernel without them.
 */
const numbersEnd = 453

/** Whether there is a filter for an architecture. */
export function hasFilterFor(arch: string): arch is TableArchitecture {
  return (tableArchitectures as readonly string[]).includes(arch)
}

/** The filter as bytes, for `bwrap --seccomp`. Throws `TypeError` for an architecture it has no table of. */
export function seccompFilter({ arch, width, alone = false }: FilterOptions): Uint8Array {
  if (!hasFilterFor(arch)) throw new TypeError(`no system-call table for ${arch}`)
  const verdicts = new Map<string, Verdict>([
    ...(width === 'narrow' ? harmless.map((name) => [name, { kind: 'allow' }] as const) : []),
    ...breakingOut.map((name) => [name, { kind: 'refuse', errno: eperm }] as const),
    ...absent.map((name) => [name, { kind: 'refuse', errno: enosys }] as const),
    ...byArgument,
    ...sockets(width),
    ...(alone ? startingNothing : []),
  ])
  return assemble({
    audit: auditArchitectures[arch],
    numbersEnd,
    verdicts: [...verdicts].flatMap(([name, verdict]) => {
      const number = syscallNumber(name, arch)
      return number === undefined ? [] : [[number, verdict] as const]
    }),
    otherwise: width === 'narrow' ? { kind: 'refuse', errno: enosys } : { kind: 'allow' },
  })
}

const startingNothing: readonly (readonly [string, Verdict])[] = [
  ['fork', { kind: 'refuse', errno: eperm }],
  ['vfork', { kind: 'refuse', errno: eperm }],
  ['clone', { kind: 'refuse-bits', argument: 0, bits: newNamespaces, needed: ofAThread, errno: eperm }],
]

const unixFamily = 1

/** Nobody makes one that reaches a network: the way there is a descriptor that is open already. */
function sockets(width: FilterOptions['width']): readonly (readonly [string, Verdict])[] {
  const families = width === 'wide' ? [unixFamily] : []
  return [
    ['socket', { kind: 'only-values', argument: 0, values: families, errno: eafnosupport }],
    // Two ends of one connection, as pipes to a child are: they lead nowhere else.
    ['socketpair', { kind: 'only-values', argument: 0, values: [unixFamily], errno: eafnosupport }],
  ]
}

const setIdBits = 0o6000
const terminalInjection = [0x5412, 0x541c]

function withoutSetId(argument: number): Verdict {
  return { kind: 'refuse-bits', argument, bits: setIdBits, errno: eperm }
}

const byArgument: readonly (readonly [string, Verdict])[] = [
  ['clone', { kind: 'refuse-bits', argument: 0, bits: newNamespaces, errno: eperm }],
  ['ioctl', { kind: 'refuse-values', argument: 1, values: terminalInjection, errno: eperm }],
  ['chmod', withoutSetId(1)],
  ['fchmod', withoutSetId(1)],
  ['fchmodat', withoutSetId(2)],
  ['fchmodat2', withoutSetId(2)],
  ['creat', withoutSetId(1)],
  ['open', withoutSetId(2)],
  ['openat', withoutSetId(3)],
  ['mkdir', withoutSetId(1)],
  ['mkdirat', withoutSetId(2)],
]

/** Their arguments lie in memory, where a filter cannot look; programs fall back to what it can see. */
const absent: readonly string[] = words(`clone3 openat2 io_uring_setup io_uring_enter io_uring_register`)

/** Other namespaces, other processes, kernel interfaces with a history, and files that are more than files. */
const breakingOut: readonly string[] = words(`
  unshare setns ptrace process_vm_readv process_vm_writev process_madvise kcmp keyctl add_key request_key bpf
  perf_event_open userfaultfd mount umount2 pivot_root chroot fsopen fsmount fsconfig fspick open_tree move_mount
  mount_setattr name_to_handle_at open_by_handle_at memfd_create memfd_secret execveat mknod mknodat personality
  quotactl quotactl_fd swapon swapoff reboot kexec_load kexec_file_load init_module finit_module delete_module acct
  settimeofday clock_settime clock_adjtime adjtimex iopl ioperm syslog pidfd_getfd fanotify_init fanotify_mark
  modify_ldt uselib lookup_dcookie migrate_pages move_pages vhangup
`)

/** What a broad Node program was seen to need, and the older and newer names of the same. */
const harmless: readonly string[] = words(`
  read write readv writev pread64 pwrite64 preadv pwritev lseek close close_range dup dup2 dup3 fcntl flock fsync
  fdatasync sync_file_range fadvise64 fallocate ftruncate truncate sendfile copy_file_range stat lstat fstat newfstatat
  statx statfs fstatfs access faccessat faccessat2 readlink readlinkat getcwd chdir fchdir getdents64 umask rename
  renameat renameat2 link linkat symlink symlinkat unlink unlinkat rmdir utimes utimensat chown fchown lchown fchownat
  mmap mprotect munmap mremap madvise mincore msync brk membarrier pkey_alloc pkey_free pkey_mprotect poll ppoll
  epoll_create epoll_create1 epoll_ctl epoll_wait epoll_pwait epoll_pwait2 eventfd eventfd2 timerfd_create
  timerfd_settime timerfd_gettime pipe pipe2 inotify_init inotify_init1 inotify_add_watch inotify_rm_watch futex
  futex_waitv set_robust_list get_robust_list rseq sched_yield sched_getaffinity sched_setaffinity sched_getparam
  sched_getscheduler sched_get_priority_max sched_get_priority_min getpriority setpriority rt_sigaction rt_sigprocmask
  rt_sigreturn rt_sigpending rt_sigtimedwait rt_sigsuspend sigaltstack kill tkill tgkill pidfd_open pidfd_send_signal
  restart_syscall clock_gettime clock_getres clock_nanosleep nanosleep gettimeofday time times getpid gettid getppid
  getpgid getpgrp getsid setsid setpgid getuid geteuid getgid getegid getresuid getresgid getgroups capget getrlimit
  setrlimit prlimit64 getrusage sysinfo uname prctl arch_prctl set_tid_address getrandom fork vfork execve wait4 waitid
  exit exit_group recvmsg recvfrom sendmsg sendto getsockopt setsockopt getsockname getpeername shutdown
`)

function words(text: string): readonly string[] {
  return text.trim().split(/\s+/)
}

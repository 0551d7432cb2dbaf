/** The architectures there is a table for, in its order. */
export const tableArchitectures = ['x64', 'arm64'] as const

/** One of {@link tableArchitectures}, as `process.arch` says it. */
export type TableArchitecture = (typeof tableArchitectures)[number]

/**
 * The number of a system call; undefined where the architecture has none by that name. Throws `TypeError` for a name that
 * is not in the table at all. Source: asm/unistd_64.h and asm-generic/unistd.h of Linux 6.1.
 */
export function syscallNumber(name: string, arch: TableArchitecture): number | undefined {
  const numbers = table.get(name)
  if (numbers === undefined) throw new TypeError(`no system call ${name}`)
  return numbers[tableArchitectures.indexOf(arch)]
}

/** Name, x86_64, aarch64. */
const text = `
  read 0 63, write 1 64, readv 19 65, writev 20 66, pread64 17 67, pwrite64 18 68, preadv 295 69, pwritev 296 70,
  lseek 8 62, close 3 57, close_range 436 436, dup 32 23, dup2 33 -, dup3 292 24, fcntl 72 25, flock 73 32, fsync 74 82,
  fdatasync 75 83, sync_file_range 277 84, fadvise64 221 223, fallocate 285 47, ftruncate 77 46, truncate 76 45,
  sendfile 40 71, copy_file_range 326 285, stat 4 -, lstat 6 -, fstat 5 80, newfstatat 262 79, statx 332 291,
  statfs 137 43, fstatfs 138 44, access 21 -, faccessat 269 48, faccessat2 439 439, readlink 89 -, readlinkat 267 78,
  getcwd 79 17, chdir 80 49, fchdir 81 50, getdents64 217 61, umask 95 166, rename 82 -, renameat 264 38,
  renameat2 316 276, link 86 -, linkat 265 37, symlink 88 -, symlinkat 266 36, unlink 87 -, unlinkat 263 35, rmdir 84 -,
  utimes 235 -, utimensat 280 88, chown 92 -, fchown 93 55, lchown 94 -, fchownat 260 54, mmap 9 222, mprotect 10 226,
  munmap 11 215, mremap 25 216, madvise 28 233, mincore 27 232, msync 26 227, brk 12 214, membarrier 324 283,
  pkey_alloc 330 289, pkey_free 331 290, pkey_mprotect 329 288, poll 7 -, ppoll 271 73, epoll_create 213 -,
  epoll_create1 291 20, epoll_ctl 233 21, epoll_wait 232 -, epoll_pwait 281 22, epoll_pwait2 441 441, eventfd 284 -,
  eventfd2 290 19, timerfd_create 283 85, timerfd_settime 286 86, timerfd_gettime 287 87, pipe 22 -, pipe2 293 59,
  inotify_init 253 -, inotify_init1 294 26, inotify_add_watch 254 27, inotify_rm_watch 255 28, futex 202 98,
  futex_waitv 449 449, set_robust_list 273 99, get_robust_list 274 100, rseq 334 293, sched_yield 24 124,
  sched_getaffinity 204 123, sched_setaffinity 203 122, sched_getparam 143 121, sched_getscheduler 145 120,
  sched_get_priority_max 146 125, sched_get_priority_min 147 126, getpriority 140 141, setpriority 141 140,
  rt_sigaction 13 134, rt_sigprocmask 14 135, rt_sigreturn 15 139, rt_sigpending 127 136, rt_sigtimedwait 128 137,
  rt_sigsuspend 130 133, sigaltstack 131 132, kill 62 129, tkill 200 130, tgkill 234 131, pidfd_open 434 434,
  pidfd_send_signal 424 424, restart_syscall 219 128, clock_gettime 228 113, clock_getres 229 114,
  clock_nanosleep 230 115, nanosleep 35 101, gettimeofday 96 169, time 201 -, times 100 153, getpid 39 172,
  gettid 186 178, getppid 110 173, getpgid 121 155, getpgrp 111 -, getsid 124 156, setsid 112 157, setpgid 109 154,
  getuid 102 174, geteuid 107 175, getgid 104 176, getegid 108 177, getresuid 118 148, getresgid 120 150,
  getgroups 115 158, capget 125 90, getrlimit 97 163, setrlimit 160 164, prlimit64 302 261, getrusage 98 165,
  sysinfo 99 179, uname 63 160, prctl 157 167, arch_prctl 158 -, set_tid_address 218 96, getrandom 318 278, fork 57 -,
  vfork 58 -, execve 59 221, wait4 61 260, waitid 247 95, exit 60 93, exit_group 231 94, recvmsg 47 212, recvfrom 45 207,
  sendmsg 46 211, sendto 44 206, getsockopt 55 209, setsockopt 54 208, getsockname 51 204, getpeername 52 205,
  shutdown 48 210, connect 42 203, bind 49 200, listen 50 201, accept 43 202, accept4 288 242, clone 56 220, ioctl 16 29,
  chmod 90 -, fchmod 91 52, fchmodat 268 53, fchmodat2 452 452, open 2 -, openat 257 56, creat 85 -, mkdir 83 -,
  mkdirat 258 34, socket 41 198, socketpair 53 199, clone3 435 435, openat2 437 437, io_uring_setup 425 425,
  io_uring_enter 426 426, io_uring_register 427 427, unshare 272 97, setns 308 268, ptrace 101 117,
  process_vm_readv 310 270, process_vm_writev 311 271, process_madvise 440 440, kcmp 312 272, keyctl 250 219,
  add_key 248 217, request_key 249 218, bpf 321 280, perf_event_open 298 241, userfaultfd 323 282, mount 165 40,
  umount2 166 39, pivot_root 155 41, chroot 161 51, fsopen 430 430, fsmount 432 432, fsconfig 431 431, fspick 433 433,
  open_tree 428 428, move_mount 429 429, mount_setattr 442 442, name_to_handle_at 303 264, open_by_handle_at 304 265,
  memfd_create 319 279, memfd_secret 447 447, execveat 322 281, mknod 133 -, mknodat 259 33, personality 135 92,
  quotactl 179 60, quotactl_fd 443 443, swapon 167 224, swapoff 168 225, reboot 169 142, kexec_load 246 104,
  kexec_file_load 320 294, init_module 175 105, finit_module 313 273, delete_module 176 106, acct 163 89,
  settimeofday 164 170, clock_settime 227 112, clock_adjtime 305 266, adjtimex 159 171, iopl 172 -, ioperm 173 -,
  syslog 103 116, pidfd_getfd 438 438, fanotify_init 300 262, fanotify_mark 301 263,
  modify_ldt 154 -, uselib 134 -, lookup_dcookie 212 18, migrate_pages 256 238, move_pages 279 239, vhangup 153 58,
  landlock_create_ruleset 444 444, landlock_add_rule 445 445, landlock_restrict_self 446 446
`

const table: ReadonlyMap<string, readonly (number | undefined)[]> = new Map(
  text.split(',').map((entry) => {
    const [name = '', ...numbers] = entry.trim().split(' ')
    return [name, numbers.map((number) => (number === '-' ? undefined : Number(number)))]
  }),
)

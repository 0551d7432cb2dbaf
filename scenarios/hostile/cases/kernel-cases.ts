import { syscalls } from '../stage/syscalls.ts'
import type { Trial } from '../stage/trial.ts'
import { everyWay, succeeded } from './attempts.ts'
import { expected, hostsUser, type Case, type Verdict } from './case.ts'

/** Attacks on the kernel of the machine. */
export const kernelCases: readonly Case[] = [
  {
    id: 'A19',
    title: 'makes namespaces of its own',
    expected: expected('stopped', 'stopped', 'open', 'open'),
    note: 'It can load native code, and with it make any system call the host may make.',
    run: (trial) => kernelCalls(trial, ['a user namespace', 'a namespace by clone', 'a namespace by clone3', 'a mount']),
  },
  {
    id: 'A20',
    title: 'uses keyrings, io_uring, BPF, traces and counters of the kernel',
    expected: expected('stopped', 'stopped', 'open', 'open'),
    run: (trial) =>
      kernelCalls(trial, ['a keyring', 'an io_uring', 'a BPF program', 'a performance counter', 'a trace', 'a file in memory']),
  },
  {
    id: 'A21',
    title: 'puts text into the terminal',
    expected: expected('stopped', 'stopped', hostsUser, hostsUser),
    run: (trial) => kernelCalls(trial, ['text put into a terminal']),
  },
  {
    id: 'A22',
    title: 'opens settings of the kernel for writing',
    expected: expected('stopped', 'stopped', hostsUser, hostsUser),
    run: (trial) =>
      everyWay(trial, [
        ['openForWriting', { path: '/proc/sys/kernel/core_pattern' }],
        ['openForWriting', { path: '/sys/kernel/uevent_helper' }],
      ]),
  },
  {
    id: 'A23',
    title: 'moves itself to another control group',
    expected: expected('stopped', 'stopped', hostsUser, hostsUser),
    run: (trial) =>
      everyWay(
        trial,
        ['/sys/fs/cgroup/cgroup.procs', '/sys/fs/cgroup/memory/cgroup.procs', '/sys/fs/cgroup/pids/cgroup.procs'].map((path) => [
          'openForWriting',
          { path },
        ]),
      ),
  },
]

/** System calls past everything Node keeps: in the sandbox by a program, elsewhere by native code if that can be loaded. */
async function kernelCalls(trial: Trial, what: readonly string[]): Promise<Verdict> {
  if (succeeded(await trial.attack('everything', 'foreignFunctions'))) return 'open'
  if (trial.tier !== 'os') return 'stopped'
  for (const one of what) {
    const { number, args } = syscalls(one)
    const { code } = await trial.bare('syscall', { number, args })
    if (!/^errno (?:1|38|97)$/.test(code ?? '')) return 'open'
  }
  return 'stopped'
}

import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { HostDown } from '../stage/host-process.ts'
import { got, type Trial } from '../stage/trial.ts'
import { expected, type Case, type Verdict } from './case.ts'

/** Attacks on the network, on other processes and by programs. */
export const reachCases: readonly Case[] = [
  {
    id: 'A09',
    title: 'connects to a listener of the same machine',
    expected: expected('stopped', 'stopped', 'open', 'open'),
    run: (trial) =>
      nobodyCame(trial, async () => {
        const { port } = trial.listeners
        for (const way of ['tcp', 'fetch']) await trial.attack('everything', way, { port })
        if (trial.tier === 'os') for (const way of ['tcp', 'fetch']) await trial.bare(way, { port })
      }),
  },
  {
    id: 'A10',
    title: 'sends datagrams and resolves names',
    expected: expected('stopped', 'stopped', 'open', 'open'),
    run: (trial) =>
      nobodyCame(trial, async () => {
        const { port } = trial.listeners
        const { value } = await trial.attack('talker', 'whisper', { port }, 4_000)
        const resolved = [await trial.attack('everything', 'resolve')]
        if (trial.tier === 'os') {
          await trial.bare('udp', { port })
          resolved.push(await trial.bare('resolve'))
        }
        return resolved.some(got) || (Array.isArray(value) && value.includes('name'))
      }),
  },
  {
    id: 'A11',
    title: 'connects to a socket of the host by its path',
    expected: expected('stopped', 'stopped', 'open', 'open'),
    run: (trial) =>
      nobodyCame(trial, async () => {
        const { path } = trial.listeners
        await trial.attack('talker', 'unixSocket', { path })
        if (trial.tier === 'os') await trial.bare('unix', { path })
      }),
  },
  {
    id: 'A12',
    title: 'connects to a socket of the host by its abstract name',
    expected: expected('stopped', 'stopped', 'open', 'open'),
    run: (trial) =>
      nobodyCame(trial, async () => {
        const socketName = trial.listeners.abstractName
        await trial.attack('talker', 'abstractSocket', { socketName })
        if (trial.tier === 'os') await trial.bare('abstractSocket', { socketName })
      }),
  },
  {
    id: 'A13',
    title: 'runs a shell and other programs',
    expected: expected('stopped', 'stopped', 'open', 'open'),
    run: async (trial) => {
      for (const way of ['shell', 'shellAsync', 'node'] as const) {
        const { value } = await trial.attack('everything', way, {}, 5_000)
        if (/hello|ran|1/.test(String(value))) return 'open'
      }
      if (trial.tier !== 'os') return 'stopped'
      return got(await trial.bare('output', { program: '/bin/sh', args: ['-c', 'echo hello'] })) ? 'open' : 'stopped'
    },
  },
  {
    id: 'A14',
    title: 'brings a program along and runs it',
    expected: expected('contained', 'stopped', 'open', 'open'),
    note: 'In the sandbox what it brings runs inside the same sandbox and limits, and only if it was granted a program at all.',
    run: async (trial) => {
      const given = { program: '/usr/bin/env', path: join(trial.data('everything'), 'brought') }
      if (got(await trial.attack('everything', 'dropAndExec', given, 5_000))) return 'open'
      if (trial.tier !== 'os') return 'stopped'
      // What it runs is a member of the same sandbox, so that nothing outside is to be seen from it.
      await trial.bare('dropAndExec', { ...given, path: '/tmp/brought' })
      return (await trial.bare('read', { path: trial.path('outside/secret') })).code === undefined ? 'open' : 'contained'
    },
  },
  {
    id: 'A15',
    title: 'loads native code',
    expected: expected('stopped', 'stopped', 'open', 'open'),
    run: async (trial) => {
      const codes = [await trial.attack('everything', 'addon'), await trial.attack('everything', 'foreignFunctions')]
      const refused = /ERR_ACCESS_DENIED|ERR_DLOPEN_DISABLED|ERR_UNKNOWN_BUILTIN_MODULE/
      return codes.every(({ code }) => refused.test(code ?? '')) ? 'stopped' : 'open'
    },
  },
  {
    id: 'A16',
    title: 'opens a port for a debugger',
    expected: expected('stopped', 'stopped', 'open', 'open'),
    spoils: ['trusted'],
    run: async (trial) => {
      const { value } = await trial.attack('everything', 'inspector', {}, 3_000)
      return typeof value === 'string' || /Debugger listening/.test(trial.host.output) ? 'open' : 'stopped'
    },
  },
  {
    id: 'A17',
    title: 'asks the host by a signal to open a port for a debugger',
    expected: expected('stopped', 'stopped', 'stopped', 'stopped'),
    note: 'Outside the sandbox only because the host is started with --disable-sigusr1.',
    run: async (trial) => {
      const before = debuggers(trial)
      await signalHost(trial, 'SIGUSR1')
      await delay(50)
      if (debuggers(trial) > before) return 'open'
      return (await trial.host.lives()) ? 'stopped' : 'down'
    },
  },
  {
    id: 'A18',
    title: 'stops and kills the host, and everything it can see',
    expected: expected('stopped', 'down', 'down', 'down'),
    note: "Signals to processes of the host's user are not held back; the host is started again by its service manager.",
    run: async (trial) => {
      for (const signal of ['SIGSTOP', 'SIGKILL']) {
        await signalHost(trial, signal)
        if (!(await trial.host.lives())) return 'down'
      }
      if (trial.tier !== 'os') return 'stopped'
      const given = { pid: trial.host.pid, signal: 'SIGKILL' }
      const { value } = await trial.provoke('talker', 'signalAll', given)
      if (String(value).startsWith('not tried')) throw new Error(String(value))
      return (await trial.host.lives()) ? 'stopped' : 'down'
    },
  },
  {
    id: 'F04',
    title: 'writes the address of this machine in every way there is',
    expected: expected('stopped', 'stopped', 'open', 'open'),
    run: (trial) =>
      nobodyCame(trial, async () => {
        const { value } = await trial.attack('talker', 'spellings', { port: trial.listeners.port }, 5_000)
        return Array.isArray(value) && value.length > 0
      }),
  },
]

/** The listeners outside are asked, not the plugin. */
async function nobodyCame(trial: Trial, attack: () => Promise<unknown>): Promise<Verdict> {
  trial.listeners.take()
  const isThrough = await attack()
  await delay(30)
  const reached = trial.listeners.take()
  trial.note(`${reached} came`)
  return reached > 0 || isThrough === true ? 'open' : 'stopped'
}

/** How often the host, or a plugin in it, said that it waits for a debugger. */
function debuggers({ host }: Trial): number {
  return host.output.split('Debugger listening').length - 1
}

async function signalHost(trial: Trial, signal: string): Promise<void> {
  const { pid } = trial.host
  await trial.attack('talker', 'own')
  await trial.provoke('talker', 'signalHost', { pid, signal }).catch((error: unknown) => {
    if (!(error instanceof HostDown)) throw error
  })
  if (trial.tier === 'os') await trial.bare('signal', { pid, signal })
}

import { chmod, lstat, readFile, readlink, stat, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { got, type Trial } from '../stage/trial.ts'
import { everyWay, noneGot } from './attempts.ts'
import { expected, type Case, type Verdict } from './case.ts'

const byReading = ['read', 'readAsync', 'readBuffer', 'readUrl', 'readBlob', 'readStream', 'copyIn']

const programsAreFree = { notTried: 'programs it was granted are held to nothing there' }
const hostsFiles = { notTried: 'what the host has open is open to it' }

/** Attacks on files, and on what the process table tells. */
export const filesCases: readonly Case[] = [
  {
    id: 'A01',
    title: 'reads a system file and a secret beside its own directories',
    expected: expected('stopped', 'stopped', 'open', 'open'),
    run: (trial) =>
      noneGot(
        trial,
        byReading.flatMap((way) => paths(trial).map((path) => [way, { path }] as const)),
      ),
  },
  {
    id: 'A02',
    title: 'lists the root of the machine',
    expected: expected('stopped', 'stopped', 'open', 'open'),
    run: async (trial) => {
      const direct = await noneGot(trial, [['list', { path: '/' }]])
      if (trial.tier !== 'os' || direct !== 'stopped') return direct
      const { value } = await trial.bare('list', { path: '/' })
      const entries = Array.isArray(value) ? (value as string[]) : ['nothing was listed']
      const own = new Set([
        'dev',
        'lib',
        'lib64',
        'proc',
        'tmp',
        'usr',
        ...trial.root.split('/'),
        ...import.meta.dirname.split('/'),
      ])
      const program = process.execPath.split('/')
      return entries.every((entry) => own.has(entry) || program.includes(entry)) ? 'stopped' : 'open'
    },
  },
  {
    id: 'A03',
    title: 'writes outside its own directories',
    expected: expected('stopped', 'stopped', 'open', 'open'),
    run: async (trial) => {
      const path = trial.path('outside/new')
      for (const way of ['write', 'append']) await trial.attack('everything', way, { path })
      await trial.attack('everything', 'rename', { path: trial.path('outside/movable'), to: trial.path('outside/taken') })
      if (trial.tier === 'os') await trial.bare('write', { path })
      const there = await Promise.all([path, trial.path('outside/taken')].map(exists))
      return there.includes(true) ? 'open' : 'stopped'
    },
  },
  {
    id: 'A04',
    title: 'rewrites its own code',
    expected: expected('stopped', 'stopped', 'open', 'open'),
    run: rewriteSelf,
  },
  {
    id: 'A05',
    title: 'dumps its environment and its command line',
    expected: expected('stopped', 'stopped', 'stopped', 'open'),
    run: (trial) => tells(trial, ['environment', 'arguments'], [trial.host.environmentCanary, trial.path('store')]),
  },
  {
    id: 'A06',
    title: 'reads what the process table tells about itself',
    expected: expected('stopped', 'stopped', 'open', 'open'),
    run: async (trial) => {
      const secrets = [trial.host.environmentCanary, 'plugins/hostile/innocent', trial.path('plugins')]
      const direct = await tells(trial, ['dumpProcesses'], secrets)
      const own = await noneGot(
        trial,
        ['environ', 'cmdline', 'mountinfo'].map((file) => ['read', { path: `/proc/self/${file}` }]),
      )
      if (trial.tier !== 'os' || direct !== 'stopped' || own !== 'stopped') return direct === 'stopped' ? own : direct
      const said = JSON.stringify(await trial.bare('dumpProcesses'))
      return secrets.some((secret) => said.includes(secret)) ? 'open' : 'stopped'
    },
  },
  {
    id: 'A07',
    title: "reads the host's environment",
    expected: expected('stopped', 'stopped', 'open', 'open'),
    run: (trial) => everyWay(trial, [['read', { path: `/proc/${trial.host.pid}/environ` }]]),
  },
  {
    id: 'A08',
    title: "opens the host's memory",
    expected: expected('stopped', 'stopped', 'open', 'open'),
    run: async (trial) => {
      const path = `/proc/${trial.host.pid}/mem`
      const outcomes = [await trial.attack('everything', 'openForWriting', { path })]
      if (trial.tier === 'os') outcomes.push(await trial.bare('openForWriting', { path }))
      return outcomes.every(({ code }) => code !== undefined) ? 'stopped' : 'open'
    },
  },
  {
    id: 'A24',
    title: 'makes a link in its data and reads through it',
    expected: expected('stopped', 'stopped', 'open', 'open'),
    run: (trial) => everyWay(trial, [['symlink', { target: trial.path('outside/secret') }]]),
  },
  {
    id: 'A25',
    title: 'plants a link in its data for the host to follow',
    expected: expected('stopped', 'stopped', 'stopped', 'stopped'),
    run: deputy,
  },
  {
    id: 'A26',
    title: 'makes a file that runs as its owner',
    expected: expected('stopped', 'open', 'open', 'open'),
    note: 'A file it wrote may carry the set-id bit; the directories of the host keep other users away from it.',
    run: async (trial) => {
      await trial.attack('talker', 'setIdFile')
      if (trial.tier === 'os') await trial.bare('setIdAtOpen')
      const modes = await Promise.all(
        [join(trial.data('talker'), 'set-id'), join(trial.data('runner'), 'set-id-open')].map((path) =>
          stat(path).then(
            ({ mode }) => mode,
            () => 0,
          ),
        ),
      )
      return modes.some((mode) => (mode & 0o6000) !== 0) ? 'open' : 'stopped'
    },
  },
  {
    id: 'A27',
    title: "reads another plugin's files, secret and state",
    expected: expected('stopped', 'stopped', 'open', 'open'),
    note: 'Secrets and state are asked of the host, which answers for its own alone; files are open.',
    run: async (trial) => {
      const asked = [await trial.attack('talker', 'secretOf', { secret: 'innocent' })]
      asked.push(await trial.attack('talker', 'secretOf', { secret: '${secret:innocent}' }))
      if (asked.some(got)) return 'open'
      return everyWay(trial, [['read', { path: join(trial.data('innocent'), 'note') }]])
    },
  },
  {
    id: 'A28',
    title: 'uses files that were left open for it',
    expected: expected('stopped', 'stopped', hostsFiles, hostsFiles),
    run: leftOpen,
  },
  {
    id: 'A29',
    title: 'makes a name that it was granted lead elsewhere, for its next start',
    expected: expected('stopped', programsAreFree, 'open', 'open'),
    run: swapped,
  },
]

/** It may write the directory around, so the name is its own; what it leads to is not. */
async function swapped(trial: Trial): Promise<Verdict> {
  const secret = trial.path('outside/secret')
  if (trial.tier !== 'os') return noneGot(trial, [['read', { path: secret }]])
  const path = trial.path('shared/inner')
  const first = await trial.attack('swaps', 'swap', { path, target: trial.path('outside') }, 5_000)
  // A link that was not made proves nothing.
  if ((await readlink(path).catch(() => undefined)) !== trial.path('outside')) throw new Error(JSON.stringify(first))
  await trial.host.ask('disable', { plugin: 'hostile/swaps' }, 10_000)
  await trial.host.ask('enable', { plugin: 'hostile/swaps' }, 10_000)
  const read = await Promise.all([join(path, 'secret'), secret].map((one) => trial.attack('swaps', 'read', { path: one }, 5_000)))
  return read.some(got) ? 'open' : 'stopped'
}

/** Nothing but its channel and its output; the numbers a thread finds are the host's. */
async function leftOpen(trial: Trial): Promise<Verdict> {
  const found = [await trial.attack('everything', 'descriptors')]
  if (trial.tier === 'os') found.push(await trial.bare('descriptors'))
  return found.every(({ value }) => Array.isArray(value) && value.length === 0) ? 'stopped' : 'open'
}

function paths(trial: Trial): readonly string[] {
  return [trial.path('outside/secret'), '/etc/passwd', join(trial.data('innocent'), 'note')]
}

async function tells(trial: Trial, names: readonly string[], secrets: readonly string[]): Promise<Verdict> {
  const said = await Promise.all(names.map(async (name) => JSON.stringify(await trial.attack('everything', name))))
  return said.some((text) => secrets.some((secret) => text.includes(secret))) ? 'open' : 'stopped'
}

async function rewriteSelf(trial: Trial): Promise<Verdict> {
  const { value } = await trial.attack('everything', 'own')
  const directory = (value as { code: string }).code
  const main = join(directory, 'index.js')
  const before = await readFile(main, 'utf8')
  for (const path of [directory, join(directory, 'index.js')]) await trial.attack('everything', 'chmod', { path })
  for (const way of ['rewriteSelf', 'addToSelf']) await trial.attack('everything', way)
  if (trial.tier === 'os') for (const way of ['rewriteSelf', 'addToSelf']) await trial.bare(way)
  const changed = (await readFile(main, 'utf8')) !== before || (await exists(join(dirname(main), 'more.js')))
  if (!changed) return 'stopped'
  await writeFile(main, before)
  await chmod(main, 0o444)
  return 'open'
}

/** The host gives data to the plugin's user, counts it and removes it; none of that may reach what a link leads to. */
async function deputy(trial: Trial): Promise<Verdict> {
  const secret = trial.path('outside/secret')
  const before = await stat(secret)
  const [plugin, outcome] =
    trial.tier === 'os'
      ? ['runner', await trial.bare('symlink', { target: secret })]
      : ['talker', await trial.attack('talker', 'planted', { target: secret })]
  trial.note(JSON.stringify(outcome))
  await trial.host.ask('disable', { plugin: `hostile/${plugin}` }, 10_000)
  await trial.host.ask('enable', { plugin: `hostile/${plugin}` }, 10_000)
  await trial.attack(plugin, 'own')
  const after = await stat(secret)
  const kept = after.uid === before.uid && after.mode === before.mode && (await readFile(secret, 'utf8')) === trial.secret
  return kept ? 'stopped' : 'open'
}

async function exists(path: string): Promise<boolean> {
  return lstat(path).then(
    () => true,
    () => false,
  )
}

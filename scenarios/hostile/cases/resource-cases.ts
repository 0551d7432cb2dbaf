import { rmSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import type { LimitName } from '@backplane/kernel'
import { descendants } from '../stage/host-process.ts'
import { limits } from '../stage/third-party.ts'
import { got, processorMs, type Trial } from '../stage/trial.ts'
import { expected, type Case, type Verdict } from './case.ts'

const mebibyte = 1024 ** 2
/** What an attack on memory wants; many times what it may have. */
const wantedMiB = 512
/** So much more than before is a host that holds it. */
const grownMiB = 350

const memoryTitles = {
  eatHeap: 'grows its heap',
  holdBuffers: 'grows outside its heap',
  holdWasm: 'grows as WebAssembly',
}

/** Attacks on what everybody shares: processor, memory, processes, files. */
export const resourceCases: readonly Case[] = [
  ...(
    [
      ['B01', 'loops without end', 'everything', 'loop'],
      ['B02', 'loops without end through promises', 'everything', 'microtasks'],
      ['B03', 'has a regular expression go through every possibility', 'talker', 'redos'],
    ] as const
  ).map(([id, title, plugin, attack]): Case => ({
    id,
    title,
    expected: expected('contained', 'contained', 'contained', 'down'),
    run: async (trial) => {
      await trial.attack(plugin, 'own')
      const [before, began] = [await trial.ends(plugin), performance.now()]
      const { failed } = await trial.provoke(plugin, attack)
      const kind = await trial.ended(plugin, before, 5_000)
      trial.measured(title, performance.now() - began)
      return failed !== undefined && kind === 'hang' ? 'contained' : 'open'
    },
  })),
  {
    id: 'B04',
    title: memoryTitles.eatHeap,
    expected: expected('contained', 'contained', 'contained', 'down'),
    run: (trial) => endedForMemory(trial, 'eatHeap', {}, Infinity),
  },
  {
    id: 'B05',
    title: memoryTitles.holdBuffers,
    expected: expected('contained', 'contained', 'open', 'open'),
    spoils: ['contained', 'trusted'],
    note: "Memory outside the heap is the host's own and is not limited.",
    run: (trial) => endedForMemory(trial, 'holdBuffers', { megabytes: wantedMiB }),
  },
  {
    id: 'B06',
    title: memoryTitles.holdWasm,
    expected: expected('contained', 'contained', 'open', 'open'),
    spoils: ['contained', 'trusted'],
    run: (trial) => endedForMemory(trial, 'holdWasm', { megabytes: wantedMiB }),
  },
  {
    id: 'B07',
    title: 'starts processes that start processes',
    expected: expected('contained', 'stopped', 'open', 'open'),
    spoils: ['os'],
    needsGroups: true,
    run: forks,
  },
  {
    id: 'B08',
    title: 'starts forty threads',
    expected: expected('contained', 'stopped', 'open', 'open'),
    spoils: ['contained', 'trusted'],
    needsGroups: true,
    run: async (trial) => {
      const direct = await trial.attack('everything', 'threads', { count: 40 }, 6_000)
      if (Number(direct.value) >= 40) return 'open'
      if (trial.tier !== 'os') return got(direct) ? 'contained' : 'stopped'
      const { value } = await trial.bare('threads', { count: 100 })
      return Number(value) >= 100 ? 'open' : 'contained'
    },
  },
  {
    id: 'B09',
    title: 'prints without end',
    expected: expected('contained', 'contained', 'open', 'open'),
    note: "What a plugin in the host's process writes to descriptor 1 is written by the host.",
    run: async (trial) => {
      const [bytes, rss] = [trial.host.outputBytes, await trial.host.ask('rss')]
      await trial.provoke('everything', 'flood', { megabytes: 32 }, 1_500)
      const grown = ((await trial.host.ask('rss')) - rss) / mebibyte
      trial.note(`the host grew by ${Math.round(grown)} MiB and printed ${trial.host.outputBytes - bytes} bytes`)
      return trial.host.outputBytes - bytes > mebibyte || grown > 100 ? 'open' : 'contained'
    },
  },
  {
    id: 'B10',
    title: 'fills its data directory',
    expected: expected('contained', 'contained', 'open', 'open'),
    begin: (trial) => fill(trial, 'fills-data', 'fillData', { megabytes: 24 }),
    run: (trial) => endedForData(trial, 'fills-data', 'fillData', { megabytes: 24 }),
  },
  {
    id: 'B11',
    title: 'fills /tmp and /dev/shm',
    expected: expected('contained', 'stopped', 'open', 'open'),
    run: async (trial) => {
      const given = { path: trial.path('outside/filled'), megabytes: 32 }
      if (got(await trial.attack('everything', 'fill', given, 5_000))) return 'open'
      if (trial.tier !== 'os') return 'stopped'
      const filled = [await trial.bare('fill', { ...given, path: '/tmp/full' })]
      filled.push(await trial.bare('fill', { ...given, path: '/dev/shm/full' }))
      return filled.every(({ code }) => code === 'ENOSPC' || code === 'EFBIG') ? 'contained' : 'open'
    },
  },
  {
    id: 'B12',
    title: 'makes files without number',
    expected: expected('contained', 'contained', 'open', 'open'),
    begin: (trial) => fill(trial, 'fills-names', 'makeFiles', { count: 1_200 }),
    run: (trial) => endedForData(trial, 'fills-names', 'makeFiles', { count: 1_200 }),
  },
  {
    id: 'B13',
    title: 'opens files and keeps them open',
    expected: expected('contained', 'told', 'open', 'open'),
    note: 'In a bare process the host sees it within a second and says so.',
    run: async (trial) => {
      const { value } = await trial.attack('talker', 'keepOpen', { count: 2_000 }, 5_000)
      if (Number(value) < 2_000 || typeof value === 'object') return 'contained'
      const began = performance.now()
      const told = await named(trial, 'talker', 'open-files')
      trial.measured('opens files: told', performance.now() - began)
      await trial.attack('talker', 'closeAll')
      return told
    },
  },
  {
    id: 'B14',
    title: 'burns a processor outside its calls',
    expected: expected('contained', 'told', 'open', 'down'),
    note: 'In a bare process the host sees it within a second and says so; a thread that does not pause is seen only afterwards.',
    needsGroups: true,
    run: burns,
  },
  {
    id: 'B15',
    title: 'nests its data deeper than a path is long, where nobody counts',
    expected: expected('contained', 'contained', 'open', 'open'),
    begin: (trial) => fill(trial, 'nests-data', 'nest', {}),
    run: async (trial) => {
      const verdict = await endedForData(trial, 'nests-data', 'nest', {})
      // Only what walks comes that deep.
      rmSync(trial.data('nests-data'), { recursive: true, force: true })
      return verdict
    },
  },
]

async function endedForMemory(
  trial: Trial,
  attack: keyof typeof memoryTitles,
  given: object,
  mostMiB = grownMiB,
): Promise<Verdict> {
  await trial.attack('everything', 'own')
  const [before, rss, began] = [await trial.ends('everything'), await trial.host.ask('rss'), performance.now()]
  const attacked = trial.provoke('everything', attack, given, 12_000)
  attacked.catch(() => undefined)
  const grown = await trial.until(async () => {
    if ((await trial.ends('everything')) > before) return 'ended'
    return ((await trial.host.ask('rss')) - rss) / mebibyte > mostMiB ? 'grown' : undefined
  }, 12_000)
  trial.note(`${attack}: ${grown} after ${Math.round(performance.now() - began)} ms`)
  trial.measured(memoryTitles[attack], performance.now() - began)
  if (grown !== 'ended') return 'open'
  // At the limit an engine may tidy up for so long that it is ended for standing still.
  return /memory|hang/.test((await trial.ended('everything', before, 100)) ?? '') ? 'contained' : 'open'
}

async function forks(trial: Trial): Promise<Verdict> {
  if (trial.tier === 'os') {
    const attacked = Promise.all(Array.from({ length: 8 }, () => trial.bare('detach', { seconds: 30 }, 2_500)))
    await delay(1_500)
    const most = (await trial.host.tree()).length
    await attacked
    await trial.host.ask('disable', { plugin: 'hostile/runner' }, 10_000)
    const left = (await commandsBelow(trial)).filter((command) => command.includes('setTimeout(() =>'))
    await trial.host.ask('enable', { plugin: 'hostile/runner' }, 10_000)
    trial.note(`${most} processes at most, ${left.length} left`)
    return left.length === 0 && most < 80 ? 'contained' : 'open'
  }
  const started = await Promise.all(
    Array.from({ length: 40 }, () => trial.attack('everything', 'stay', { program: 'sleep', args: ['3'] }, 3_000)),
  )
  const pids = started.flatMap(({ value }) => (typeof value === 'number' ? [value] : []))
  return pids.length > (limits.processes ?? 0) ? 'open' : pids.length > 0 ? 'contained' : 'stopped'
}

async function commandsBelow(trial: Trial): Promise<readonly string[]> {
  return Promise.all((await descendants(trial.host.pid)).map((pid) => readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')))
}

async function burns(trial: Trial): Promise<Verdict> {
  if (trial.tier === 'contained' || trial.tier === 'trusted') {
    await trial.attack('talker', 'burnInBackground', { forMs: 3_000 })
    await delay(500)
    return (await trial.host.lives()) ? 'open' : 'down'
  }
  // On a busy machine it may not get so much that anybody would have to hold it back.
  for (let tries = 0; tries < 8; tries++) {
    const began = performance.now()
    await trial.attack('talker', 'burnInBackground', { forMs: 3_000 })
    const record = await trial.host.ask('record', { plugin: 'hostile/talker' })
    const isHeld = record?.enforcement.some(({ what, level }) => what === 'limit:cpu' && level === 'exact') === true
    if (isHeld) return (await sharePercent(trial)) > (limits.cpuPercent ?? 0) * 1.3 ? 'open' : 'contained'
    if ((await named(trial, 'talker', 'cpu', 4_000)) === 'told') {
      trial.measured('burns a processor: told', performance.now() - began)
      return 'told'
    }
  }
  return 'open'
}

/** Of one processor, by all its processes. */
async function sharePercent(trial: Trial): Promise<number> {
  const record = await trial.host.ask('record', { plugin: 'hostile/talker' })
  if (record?.state.name !== 'active') throw new Error('it does not run')
  await delay(100)
  const members = [record.state.pid, ...(await descendants(record.state.pid))]
  const [before, began] = [await processorMs(members), performance.now()]
  await delay(1_200)
  const percent = (100 * ((await processorMs(members)) - before)) / (performance.now() - began)
  trial.note(`it used ${Math.round(percent)} % of a processor`)
  return percent
}

/** An event names the plugin and the limit. */
async function named(trial: Trial, plugin: string, limit: LimitName, waitMs = 3_000): Promise<Verdict> {
  const event = await trial.event(
    (one) => one.type === 'limit.exceeded' && one.plugin === `hostile/${plugin}` && one.limit === limit,
    waitMs,
  )
  trial.note(JSON.stringify(event ?? 'no event'))
  return event === undefined ? 'open' : 'told'
}

/** Settles when the call was taken; what it comes to is seen much later. */
async function fill(trial: Trial, plugin: string, attack: string, given: object): Promise<void> {
  await trial.attack(plugin, attack, given, 5_000)
}

/** Its directory is looked at, not each write. */
async function endedForData(trial: Trial, plugin: string, attack: string, given: object): Promise<Verdict> {
  if (trial.tier === 'contained' || trial.tier === 'trusted') {
    return got(await trial.attack(plugin, attack, given, 5_000)) ? 'open' : 'stopped'
  }
  // It was begun long ago, by the only plugin that does so.
  const told = await named(trial, plugin, 'data', 9_000)
  if (told !== 'told') return told
  return (await trial.ends(plugin)) > 0 ? 'contained' : 'told'
}

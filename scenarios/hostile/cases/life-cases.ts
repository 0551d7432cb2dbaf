import { readFile, stat } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import { isAlive } from '../../support/hypervisord.ts'
import { got, type Trial } from '../stage/trial.ts'
import { absent, expected, type Case, type Verdict } from './case.ts'

/** More than may be at work and wait. */
const crowd = { count: 80, timeoutMs: 300 }

/** Attacks by ending, and by not ending. */
export const lifeCases: readonly Case[] = [
  ...(
    [
      ['C01', 'ends its process in a call', 'exit', { code: 7 }, 'contained'],
      ['C02', 'aborts', 'abort', {}, 'stopped'],
      ['C03', 'leaves a rejection to nobody', 'rejectLater', {}, 'contained'],
      ['C04', 'throws when nobody listens', 'throwLater', {}, 'contained'],
    ] as const
  ).map(([id, title, attack, given, inThread]): Case => ({
    id,
    title,
    expected: expected('contained', 'contained', inThread, 'down'),
    run: async (trial) => {
      await trial.attack('everything', 'own')
      const before = await trial.ends('everything')
      const outcome = await trial.provoke('everything', attack, given)
      if (outcome.code !== undefined) return 'stopped'
      const kind = await trial.ended('everything', before, 3_000)
      // The next call starts it again.
      const again = await trial.until(
        async () => ((await trial.attack('everything', 'own')).value === undefined ? undefined : 1),
        3_000,
      )
      return outcome.failed?.code === 'PLUGIN_EXITED' && kind !== undefined && again === 1 ? 'contained' : 'open'
    },
  })),
  {
    id: 'C05',
    title: 'never answers, whoever calls',
    expected: expected('contained', 'contained', 'contained', 'contained'),
    run: neverAnswers,
  },
  {
    id: 'C06',
    title: 'goes on after it was told to stop',
    expected: expected('contained', 'contained', 'contained', 'open'),
    run: async (trial) => {
      await trial.attack('lingers', 'begin')
      const path = `${trial.data('lingers')}/still-here`
      await trial.host.ask('disable', { plugin: 'hostile/lingers' }, 10_000)
      const { size } = await stat(path)
      await delay(150)
      return (await stat(path)).size === size ? 'contained' : 'open'
    },
  },
  {
    id: 'C07',
    title: 'leaves a process behind',
    expected: expected('contained', 'stopped', 'open', 'open'),
    run: detaches,
  },
  {
    id: 'C08',
    title: 'ignores being asked to end',
    expected: expected('contained', 'contained', 'contained', absent),
    run: hangsInStop,
  },
  {
    id: 'C09',
    title: 'never becomes ready',
    expected: expected('contained', 'contained', 'contained', 'down'),
    run: async (trial) => {
      const began = performance.now()
      const { failed } = await trial.provoke('hangs-in-start', 'anything', {}, 9_000)
      trial.note(`failed after ${Math.round(performance.now() - began)} ms`)
      const record = await trial.host.ask('record', { plugin: 'hostile/hangs-in-start' })
      // Or it would be tried again.
      await trial.host.ask('disable', { plugin: 'hostile/hangs-in-start' }, 10_000)
      const isGone = await noneRuns(trial, 'hangs-in-start')
      return failed !== undefined && record?.state.name !== 'active' && isGone ? 'contained' : 'open'
    },
  },
  {
    id: 'C10',
    title: 'accepts being stopped and never finishes',
    expected: expected('contained', 'contained', 'contained', 'down'),
    run: async (trial) => {
      const running = trial.provoke('hangs-in-stop', 'never', {}, 9_000)
      running.catch(() => undefined)
      const verdict = await hangsInStop(trial)
      const { failed } = await running
      return failed === undefined ? 'open' : verdict
    },
  },
  {
    id: 'C11',
    title: 'dies soon after each start',
    strict: true,
    expected: expected('contained', 'contained', 'contained', 'down'),
    run: async (trial) => {
      const state = await trial.until(async () => {
        await trial.provoke('crash-loop', 'anything', {}, 1_000)
        const record = await trial.host.ask('record', { plugin: 'hostile/crash-loop' })
        return record?.state.name === 'quarantined' ? record.state : undefined
      }, 8_000)
      const starts = await trial.ends('crash-loop')
      trial.note(`${JSON.stringify(state)} after ${starts} ends`)
      const { failed } = await trial.provoke('crash-loop', 'anything')
      return state !== undefined && starts <= 5 && failed !== undefined ? 'contained' : 'open'
    },
  },
]

/** It may be asked so much at once; who comes then is told at once, and who waits is told in time. */
async function neverAnswers(trial: Trial): Promise<Verdict> {
  await trial.attack('everything', 'own')
  const began = performance.now()
  const { codes, firstRefusalMs } = await trial.crowd('everything', 'never', crowd)
  trial.measured('is called 80 times at once: the first refused', firstRefusalMs)
  const event = await trial.event(
    (one) => one.type === 'limit.exceeded' && one.plugin === 'hostile/everything' && one.limit === 'concurrency',
    2_000,
  )
  trial.note(`${JSON.stringify(codes)} after ${Math.round(performance.now() - began)} ms, ${JSON.stringify(event ?? 'no event')}`)
  const known = codes['CALL_DEADLINE'] ?? 0
  const refused = codes['CALL_QUEUE_FULL'] ?? 0
  const isFree = got(await trial.attack('everything', 'own'))
  return known + refused === crowd.count && refused > 0 && event !== undefined && isFree ? 'contained' : 'open'
}

async function detaches(trial: Trial): Promise<Verdict> {
  if (trial.tier !== 'os') {
    const { value } = await trial.attack('everything', 'detach', { seconds: 20 }, 3_000)
    if (typeof value !== 'number') return 'stopped'
    await trial.host.ask('disable', { plugin: 'hostile/everything' }, 10_000)
    await trial.host.ask('enable', { plugin: 'hostile/everything' }, 10_000)
    const stays = await isAlive(value)
    if (stays) process.kill(value, 'SIGKILL')
    return stays ? 'open' : 'contained'
  }
  await trial.bare('detach', { seconds: 100 })
  const before = await trial.host.tree()
  await trial.host.ask('disable', { plugin: 'hostile/runner' }, 10_000)
  // A process that was killed is a moment still to be seen.
  const gone = await trial.until(async () => {
    const left = await leftOf(before)
    const below = new Set(await trial.host.tree())
    const strays = left.filter((pid) => !below.has(pid))
    const detached = (await commands(left)).filter((command) => command.includes('setTimeout(() =>'))
    return strays.length + detached.length === 0 ? true : undefined
  }, goneMs)
  await trial.host.ask('enable', { plugin: 'hostile/runner' }, 10_000)
  return gone === true ? 'contained' : 'open'
}

async function leftOf(pids: readonly number[]): Promise<readonly number[]> {
  const alive = await Promise.all(pids.map(isAlive))
  return pids.filter((_, at) => alive[at])
}

function commands(pids: readonly number[]): Promise<readonly string[]> {
  return Promise.all(pids.map((pid) => readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')))
}

async function hangsInStop(trial: Trial): Promise<Verdict> {
  await trial.attack('hangs-in-stop', 'here')
  const began = performance.now()
  await trial.host.ask('disable', { plugin: 'hostile/hangs-in-stop' }, 10_000)
  trial.measured('accepts being stopped and never finishes', performance.now() - began)
  const isGone = await noneRuns(trial, 'hangs-in-stop')
  await trial.host.ask('enable', { plugin: 'hostile/hangs-in-stop' }, 10_000)
  return isGone ? 'contained' : 'open'
}

/** So long a plugin may take to be ended by force, ms. */
const goneMs = 2_500

/** No process has this plugin's code on its command line; a thread is believed to be gone when the kernel says so. */
async function noneRuns(trial: Trial, plugin: string): Promise<boolean> {
  const gone = await trial.until(async () => {
    const lines = await commands(await trial.host.tree())
    return lines.some((line) => line.includes(`plugins/hostile/${plugin}`)) ? undefined : true
  }, goneMs)
  return gone === true
}

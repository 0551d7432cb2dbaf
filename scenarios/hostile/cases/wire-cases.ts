import { setTimeout as delay } from 'node:timers/promises'
import { got, type Trial } from '../stage/trial.ts'
import { absent, expected, type Case, type Verdict } from './case.ts'

const mebibyte = 1024 ** 2

/** Attacks on the session between a plugin and its host, and on what crosses it. */
export const wireCases: readonly Case[] = [
  protocolCase('D01', 'writes what is no message', 'garbage'),
  protocolCase('D02', 'announces two gigabytes', 'hugeLength', true),
  {
    id: 'D03',
    title: 'begins a message and never ends it',
    expected: expected('contained', 'contained', absent, absent),
    begin: (trial) => {
      trial.provoke('half-a-frame', 'begin', {}, 30_000).catch(() => undefined)
      return Promise.resolve()
    },
    run: async (trial) =>
      // Whoever looks first: a plugin that is silent behind half a message stands still, too.
      /protocol|hang/.test((await trial.ended('half-a-frame', 0, 14_000)) ?? '') ? 'contained' : 'open',
  },
  protocolCase('D04', 'sends what is nested without end', 'deepText'),
  protocolCase('D05', 'answers what nobody asked', 'unknownIds'),
  protocolCase('D06', 'answers twice', 'duplicate'),
  {
    id: 'D07',
    title: 'answers with keys that change prototypes',
    expected: expected('stopped', 'stopped', 'stopped', 'stopped'),
    run: async (trial) => {
      await trial.attack('talker', 'protoKeys')
      return (await trial.host.ask('isIntact')) ? 'stopped' : 'open'
    },
  },
  {
    id: 'D08',
    title: 'answers in another form than was agreed',
    expected: expected('stopped', 'stopped', 'stopped', 'stopped'),
    run: async (trial) => {
      for (const kind of ['text', 'large', 'nothing', 'list', 'missing']) {
        const { failed } = await trial.count(kind)
        if (!/^CALL_OUTPUT_INVALID$|^RPC_|^CALL_FAILED$/.test(failed?.code ?? '')) return 'open'
      }
      return 'stopped'
    },
  },
  {
    id: 'D09',
    title: 'answers with more than a message may hold',
    expected: expected('stopped', 'stopped', 'stopped', 'open'),
    note: "Within the host's process an answer is handed over as it is.",
    run: async (trial) => {
      const rss = await trial.host.ask('rss')
      const { failed } = await trial.provoke('talker', 'hugeResult', { megabytes: 32 }, 5_000)
      const grown = ((await trial.host.ask('rss')) - rss) / mebibyte
      trial.note(`the host grew by ${Math.round(grown)} MiB`)
      // In a thread of the host the plugin's own copy counts too.
      return failed !== undefined && grown < (trial.tier === 'contained' ? 200 : 64) ? 'stopped' : 'open'
    },
  },
  {
    id: 'D10',
    title: 'changes what everything in its process relies on',
    expected: expected('stopped', 'stopped', 'stopped', 'down'),
    run: async (trial) => {
      await trial.provoke('talker', 'patch')
      const isIntact = await trial.host.ask('isIntact')
      if (isIntact)
        for (const order of ['disable', 'enable'] as const) await trial.host.ask(order, { plugin: 'hostile/talker' }, 10_000)
      return isIntact ? 'stopped' : 'open'
    },
  },
  {
    id: 'D11',
    title: 'sends its host as many messages as go through',
    expected: expected('contained', 'contained', 'contained', absent),
    note: 'More than it may log is dropped unread, and far more ends it.',
    run: floods,
  },
]

/** Whatever it floods with, it is ended for that, and everybody else is still answered. */
async function floods(trial: Trial): Promise<Verdict> {
  for (const kind of ['lines', 'nested', 'notices']) {
    const before = await trial.ends('talker')
    await trial.provoke('talker', 'flood', { kind, forMs: 3_000 }, 8_000)
    const why = await trial.ended('talker', before, 3_000)
    if (why !== 'limit' && why !== 'protocol') return 'open'
  }
  return (await trial.host.lives()) ? 'contained' : 'open'
}

/** A plugin that breaks the protocol is ended for that, and nothing of it is believed. */
function protocolCase(id: string, title: string, attack: string, isFrame = false): Case {
  return {
    id,
    title,
    expected: expected('contained', 'contained', isFrame ? absent : 'contained', absent),
    run: (trial) => endedForProtocol(trial, attack),
  }
}

async function endedForProtocol(trial: Trial, attack: string): Promise<Verdict> {
  await trial.attack('talker', 'own')
  const [before, rss] = [await trial.ends('talker'), await trial.host.ask('rss')]
  const outcome = await trial.provoke('talker', attack, {}, 3_000)
  const kind = await trial.ended('talker', before, 3_000)
  const grown = ((await trial.host.ask('rss')) - rss) / mebibyte
  trial.note(`the host grew by ${Math.round(grown)} MiB`)
  await delay(10)
  return kind === 'protocol' && !got(outcome) && grown < 128 ? 'contained' : 'open'
}

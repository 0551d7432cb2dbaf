import { setTimeout as delay } from 'node:timers/promises'
import type { Trial } from '../stage/trial.ts'
import { expected, type Case, type Verdict } from './case.ts'

/** Attacks by telling a secret that was granted. */
export const secretCases: readonly Case[] = [
  {
    id: 'G04',
    title: 'tells its secret in logs, errors, crashes and on its output',
    expected: expected('stopped', 'stopped', 'stopped', 'open'),
    note: "In the host's process it prints to the host's own output, where nobody takes secrets out.",
    run: tells,
  },
]

async function tells(trial: Trial): Promise<Verdict> {
  const attacks = trial.tier === 'trusted' ? ['tell', 'print'] : ['tell', 'print', 'tellInCrash']
  const outcomes: unknown[] = []
  await trial.attack('talker', 'own')
  for (const name of attacks) outcomes.push(await trial.provoke('talker', name))
  outcomes.push(await trial.provoke('talker', 'tellInError', { throws: true }))
  await delay(50)
  const seen = {
    outcomes,
    lines: await trial.host.ask('lines'),
    events: await trial.host.ask('events'),
    output: trial.host.output,
  }
  const places = Object.entries(seen).filter(([, what]) => JSON.stringify(what).includes('canary-of-talker'))
  trial.note(`it was told in ${places.map(([place, what]) => `${place}: ${around(JSON.stringify(what))}`).join('; ')}`)
  return places.length === 0 ? 'stopped' : 'open'
}

function around(text: string): string {
  const at = text.indexOf('canary-of-talker')
  return text.slice(Math.max(0, at - 100), at + 60)
}

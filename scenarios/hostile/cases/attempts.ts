import type { Outcome } from '../stage/host-process.ts'
import type { Trial } from '../stage/trial.ts'
import type { Verdict } from './case.ts'

/** An attack of the plugin that has them all. */
export type Attack = readonly [name: string, given: object]

/** Attacks of the plugin itself. */
export async function noneGot(trial: Trial, attacks: readonly Attack[]): Promise<Verdict> {
  for (const [name, given] of attacks) if (succeeded(await trial.attack('everything', name, given))) return 'open'
  return 'stopped'
}

/** In the sandbox also past Node's permission model. */
export async function everyWay(trial: Trial, attacks: readonly Attack[]): Promise<Verdict> {
  for (const [name, given] of attacks) {
    if (succeeded(await trial.attack('everything', name, given))) return 'open'
    if (trial.tier === 'os' && succeeded(await trial.bare(name, given))) return 'open'
  }
  return 'stopped'
}

/** An attack without an answer of its own succeeded when nothing stopped it. */
export function succeeded(outcome: Outcome): boolean {
  return outcome.code === undefined && outcome.failed === undefined
}

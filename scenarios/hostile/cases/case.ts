import type { Trial } from '../stage/trial.ts'
import type { TierName } from '../stage/tiers.ts'

/**
 * What came of an attack: `stopped` it got nothing · `contained` the plugin was ended or held back, nobody else noticed ·
 * `told` it got what it wanted, and an event names the plugin · `open` it got what it wanted · `down` so did it, and the
 * host ended or stood still.
 */
export type Verdict = 'stopped' | 'contained' | 'told' | 'open' | 'down'

/** An attack that a tier does not meet, or that is not tried there. */
export interface NotTried {
  readonly notTried: string
}

/** What is written down beforehand for one case, tier by tier. */
export type Expected = Readonly<Record<TierName, Verdict | NotTried>>

/** One attack of the threat model's list. */
export interface Case {
  readonly id: string
  readonly title: string
  readonly expected: Expected
  /** What a tier that does not stop it leaves open, for the page. */
  readonly note?: string
  /** Begins what takes long; judged after everything else by `run`. Only in tiers that claim to stop it. */
  readonly begin?: (trial: Trial) => Promise<void>
  /** Wants a host of its own, with the usual supervision. */
  readonly strict?: true
  /** The host is of no more use after it in these tiers. */
  readonly spoils?: readonly TierName[]
  /** In the sandbox it is the machine's control groups that stop it. */
  readonly needsGroups?: true
  readonly run: (trial: Trial) => Promise<Verdict>
}

/** In the order of the tiers: `os`, `process`, `contained`, `trusted`. */
export function expected(...[os, process, contained, trusted]: readonly [...(Verdict | NotTried)[]]): Expected {
  const none: NotTried = { notTried: 'nothing was written down' }
  return { os: os ?? none, process: process ?? none, contained: contained ?? none, trusted: trusted ?? none }
}

/** There is nothing in this tier that it could attack. */
export const absent: NotTried = { notTried: 'there is no such thing in this tier' }
/** In the host's own process it is its user alone that decides. */
export const hostsUser: NotTried = { notTried: "whatever the host's own user may do" }

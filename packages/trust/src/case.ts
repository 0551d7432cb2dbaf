import type { Publisher, TrustPolicy } from './policy.ts'
import type { Subject } from './subject.ts'
import type { Testimony } from './testimony.ts'
import type { RuleName, RuleResult } from './verdict.ts'
import { matchesBeginning, type Vouching } from './vouching.ts'

/** Everything a rule may look at. */
export interface Case {
  readonly subject: Subject
  readonly policy: TrustPolicy
  readonly nowMs: number
  /** Who may publish the id; undefined when the policy names nobody. */
  readonly publisher: Publisher | undefined
  readonly said: readonly Testimony[]
  readonly vouching: Vouching | undefined
}

/** A rule looks at a case and answers; it throws never, and looks at no clock and no file. */
export type Rule = (about: Case) => Omit<RuleResult, 'rule'>

/** The rules that a verdict asks; the compiler keeps one from being left out. */
export type Rules = Readonly<Record<RuleName, Rule>>

/** The answer of rules that are about packages from outside, for what came with the host. */
export const bundledSilence: Omit<RuleResult, 'rule'> = { outcome: 'silent', reason: 'it is part of the host' }

/**
 * The words of the policy that take this package although nobody known signed it; undefined when none does. Nothing takes a
 * package with a signature that should hold and does not.
 */
export function unsignedTaken({ subject, policy, publisher, said }: Case): string | undefined {
  const { allowUnsigned } = policy
  if (said.some(({ kind }) => kind === 'broken')) return undefined
  if (allowUnsigned === true) return publisher === undefined ? 'allowUnsigned: true' : undefined
  if (!Array.isArray(allowUnsigned)) return undefined
  const pattern = (allowUnsigned as readonly string[]).find((each) => matchesBeginning(subject.source, each))
  return pattern === undefined ? undefined : `allowUnsigned: ${pattern}`
}

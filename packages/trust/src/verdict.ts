/** The decision about one package, with everything that led to it. */
export interface Verdict {
  readonly ok: boolean
  /** What it rests on. */
  readonly trust: 'bundled' | 'signed' | 'unsigned'
  /** Name of the publisher whose signers vouch for it. */
  readonly publisher?: string
  /** In the order in which they were asked; none is left out. */
  readonly rules: readonly RuleResult[]
}

/** Every rule there is; the first four are about the bytes, the others about who and what. */
export type RuleName =
  | 'digest'
  | 'revoked-digest'
  | 'signature'
  | 'publisher'
  | 'allow-deny'
  | 'advisory'
  | 'release-age'
  | 'findings'

/** What one rule said. */
export interface RuleResult {
  readonly rule: RuleName
  /** `waived`: it would refuse, and the policy says that this one may pass. `silent`: it had nothing to look at. */
  readonly outcome: 'passed' | 'refused' | 'waived' | 'silent'
  /** A sentence for people. */
  readonly reason: string
  /** Path in the package, where the rule is about one. */
  readonly file?: string
  /** What to do now, when it refused. */
  readonly fix?: string
}

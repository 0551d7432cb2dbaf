export type { Advisory, Publisher, Signer, TrustedKey, TrustPolicy } from './policy.ts'
export type { Attestation, Finding, LockedDigests, Subject } from './subject.ts'
export type { RuleName, RuleResult, Verdict } from './verdict.ts'

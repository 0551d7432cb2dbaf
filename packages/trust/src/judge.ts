import type { Case, Rules } from './case.ts'
import type { TrustPolicy } from './policy.ts'
import { digestRule, findingsRule, revokedDigestRule } from './rules-about-bytes.ts'
import { advisoryRule, allowDenyRule, releaseAgeRule } from './rules-about-policy.ts'
import { publisherRule, signatureRule } from './rules-about-signers.ts'
import type { Subject } from './subject.ts'
import { weighTestimony } from './testimony.ts'
import { defaultTrustLimits, type TrustLimits } from './trust-limits.ts'
import type { RuleName, RuleResult, Verdict } from './verdict.ts'
import { countVouching, publisherOf } from './vouching.ts'

/** In the order in which they are asked. */
const rules: Rules = {
  digest: digestRule,
  'revoked-digest': revokedDigestRule,
  signature: signatureRule,
  publisher: publisherRule,
  'allow-deny': allowDenyRule,
  advisory: advisoryRule,
  'release-age': releaseAgeRule,
  findings: findingsRule,
}

/**
 * Decides whether a package may run: the one verdict for installing, updating, dependencies, uploads, folders and every start.
 * All rules are asked, also after one has refused, so that one reading tells everything that is to be mended.
 *
 * `nowMs`: ms since the epoch; give the later of the clock and the last time that a signed policy named, so that a clock set
 * back revives nothing. Pure: no clock, no file, no network. It never throws, whatever a package carries; a policy that
 * {@link readPolicy} or {@link verifyPolicy} did not read may be one that refuses more than it says.
 */
export function judge(subject: Subject, policy: TrustPolicy, nowMs: number, limits: TrustLimits = defaultTrustLimits): Verdict {
  const about = prepare(subject, policy, nowMs, limits)
  const answers: RuleResult[] = []
  for (const [rule, ask] of Object.entries(rules)) answers.push({ rule: rule as RuleName, ...ask(about) })
  const vouched = answers.some(({ rule, outcome }) => rule === 'publisher' && outcome === 'passed')
  return {
    ok: answers.every(({ outcome }) => outcome !== 'refused'),
    trust: subject.origin === 'bundled' ? 'bundled' : vouched ? 'signed' : 'unsigned',
    ...(vouched && about.publisher !== undefined ? { publisher: about.publisher.name } : {}),
    rules: answers,
  }
}

function prepare(subject: Subject, policy: TrustPolicy, nowMs: number, limits: TrustLimits): Case {
  const none = { subject, policy, nowMs, publisher: undefined, said: [], vouching: undefined }
  if (subject.origin === 'bundled') return none
  const publisher = publisherOf(subject.id, policy.publishers)
  const likely = publisher?.signers.flatMap((signer) => ('key' in signer ? [signer.key] : [])) ?? []
  const said = weighTestimony(subject, policy, likely, { nowMs, limits })
  const vouching = publisher === undefined ? undefined : countVouching(publisher, policy, said)
  return { ...none, publisher, said, vouching }
}

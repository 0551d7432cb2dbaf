import type { Rule } from './case.ts'
import { printable } from './printable.ts'
import type { RuleResult } from './verdict.ts'

type Answer = Omit<RuleResult, 'rule'>

/** The bytes are those that were approved. */
export const digestRule: Rule = ({ subject }) => {
  const { digest, archive, locked } = subject
  if (!/^sha256:[0-9a-f]{64}$/.test(digest)) {
    return refused(`${printable(digest)} is no digest`, 'Compute the digest from the bytes that would be loaded.')
  }
  if (locked === undefined) return { outcome: 'silent', reason: 'the lock does not know it' }
  const fix = `Install ${subject.id} again if the change is meant; else restore it from its source and find out who changed it.`
  if (digest !== locked.digest) return refused(`its files are ${digest}, and the lock approved ${locked.digest}`, fix)
  if (archive !== undefined && locked.archive !== undefined && archive !== locked.archive) {
    return refused(`its archive is ${archive}, and the lock approved ${locked.archive}`, fix)
  }
  return { outcome: 'passed', reason: 'it is what the lock approved' }
}

/** Nobody has revoked these bytes. */
export const revokedDigestRule: Rule = ({ subject, policy }) => {
  const { revokedDigests } = policy
  if (revokedDigests === undefined) return { outcome: 'silent', reason: 'the policy revokes no digest' }
  for (const digest of [subject.digest, subject.archive, subject.archiveSha512]) {
    const why = digest !== undefined && Object.hasOwn(revokedDigests, digest) ? revokedDigests[digest] : undefined
    if (why !== undefined) return refused(`${digest} is revoked: ${why}`, `Install another version of ${subject.id}.`)
  }
  return { outcome: 'passed', reason: 'its digests are not revoked' }
}

/** What scanners found stays below what the policy refuses, or is accepted one by one. */
export const findingsRule: Rule = ({ subject, policy }) => {
  if (subject.origin === 'bundled') return { outcome: 'silent', reason: 'it is part of the host' }
  const { findings } = subject
  if (findings === undefined) return { outcome: 'silent', reason: 'no scanner has looked' }
  const from = policy.refuseFindings ?? 'danger'
  const grave = findings.filter(({ severity }) => severity === 'danger' || (severity === 'warning' && from === 'warning'))
  const first = grave[0]
  if (first === undefined)
    return { outcome: 'passed', reason: `scanners found nothing that is refused (${findings.length} notes)` }
  const said = `${grave.length} ${grave.length === 1 ? 'finding' : 'findings'}`
  if (from === 'never') return { outcome: 'waived', reason: `${said}; refuseFindings: never`, file: first.file }
  const accepted = own(policy.acceptedFindings, subject.id)
  const open = grave.filter(({ rule }) => own(accepted, rule) === undefined)
  const worst = open[0]
  if (worst === undefined) {
    const reasons = [...new Set(grave.map(({ rule }) => `${rule} (${own(accepted, rule) ?? ''})`))]
    return { outcome: 'waived', reason: `${said} accepted: ${reasons.slice(0, 5).join(', ')}`, file: first.file }
  }
  const place = worst.line === undefined ? worst.file : `${worst.file}:${worst.line}`
  const meant = `write acceptedFindings: {"${subject.id}": {"${worst.rule}": "<why>"}} into the trust policy.`
  const others = open.length === 1 ? '' : `; and ${open.length - 1} more`
  return {
    ...refused(
      `${worst.rule}: ${printable(worst.message)} (${printable(place)})${others}`,
      worst.fix === undefined
        ? `Look at the place; if it is meant, ${meant}`
        : `${printable(worst.fix).replace(/\.$/, '')}; if it is meant, ${meant}`,
    ),
    file: worst.file,
  }
}

function own<T>(record: Readonly<Record<string, T>> | undefined, key: string): T | undefined {
  return record !== undefined && Object.hasOwn(record, key) ? record[key] : undefined
}

function refused(reason: string, fix: string): Answer {
  return { outcome: 'refused', reason, fix }
}

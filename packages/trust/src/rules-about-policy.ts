import { isNamed, mayRun } from '@backplane/sdk/plugin-names'
import Range from 'semver/classes/range.js'
import SemVer from 'semver/classes/semver.js'
import { bundledSilence, type Case, type Rule } from './case.ts'
import { timeText } from './keyring.ts'
import type { Advisory, ModuleAdvisory } from './policy.ts'
import { printable } from './printable.ts'
import type { Finding, Subject } from './subject.ts'
import { matchesBeginning } from './vouching.ts'

/** The lists of names let it run; the same reading as the kernel's. */
export const allowDenyRule: Rule = ({ subject, policy }) => {
  if (policy.allow === undefined && policy.deny === undefined)
    return { outcome: 'silent', reason: 'the policy has no list of names' }
  const decision = mayRun(subject.id, policy)
  if (decision.ok) return { outcome: 'passed', reason: 'the lists of names let it run' }
  const list = policy.allow === undefined ? 'Take it from deny' : 'Put it on allow'
  return { outcome: 'refused', reason: decision.reason, fix: `${list} in the trust policy if it is meant to run.` }
}

/**
 * No advisory takes this version, or a module it brings along, out of use. A range or version that cannot be read is taken for a
 * hit.
 */
export const advisoryRule: Rule = ({ subject, policy }) => {
  const { advisories = [], moduleAdvisories = [] } = policy
  if (advisories.length + moduleAdvisories.length === 0) return { outcome: 'silent', reason: 'the policy has no advisories' }
  const hits: readonly Hit[] = [
    ...advisories
      .filter(({ plugin, versions }) => isNamed(subject.id, [plugin]) && isWithin(subject.version, versions))
      .map((advisory) => ({ advisory, found: undefined })),
    ...(subject.origin === 'bundled' ? [] : moduleAdvisories.flatMap((advisory) => moduleHits(advisory, subject))),
  ]
  const worst = hits.find(({ advisory }) => advisory.action !== 'warn')
  if (worst !== undefined) {
    const { advisory, found } = worst
    const see = advisory.url === undefined ? '' : `; see ${advisory.url}`
    const other = found === undefined ? `is not in ${advisory.versions}` : `brings another ${found.module?.name ?? 'one'} along`
    const file = found === undefined ? {} : { file: found.file }
    return { outcome: 'refused', reason: told(worst), fix: `Install a version of ${subject.id} that ${other}${see}.`, ...file }
  }
  if (hits.length > 0) return { outcome: 'passed', reason: `warned: ${hits.slice(0, 4).map(told).join(', ')}` }
  const isLookedAt = moduleAdvisories.length === 0 || subject.findings !== undefined || subject.origin === 'bundled'
  const unseen = isLookedAt ? '' : '; no scanner has looked for modules it brings along'
  return { outcome: 'passed', reason: `no advisory is about this version${unseen}` }
}

/** An advisory that counts; `found` where it is about a module in the package. */
interface Hit {
  readonly advisory: Omit<Advisory, 'plugin'>
  readonly found: Finding | undefined
}

function moduleHits(advisory: ModuleAdvisory, { findings = [] }: Subject): readonly Hit[] {
  return findings
    .filter(({ module }) => module?.name === advisory.module && isWithin(module.version, advisory.versions))
    .map((found) => ({ advisory, found }))
}

/** It has been out long enough for others to notice what is wrong with it. */
export const releaseAgeRule: Rule = (about) => {
  const { subject, policy, nowMs } = about
  if (subject.origin === 'bundled') return bundledSilence
  const { minimumReleaseAgeMs = 0 } = policy
  if (minimumReleaseAgeMs <= 0) return { outcome: 'silent', reason: 'the policy asks for no age' }
  if (subject.locked?.digest === subject.digest) return { outcome: 'passed', reason: 'its age was weighed when it was approved' }
  const { publishedAtMs } = subject
  const ageMs = publishedAtMs === undefined ? 0 : nowMs - publishedAtMs
  if (ageMs >= minimumReleaseAgeMs) return { outcome: 'passed', reason: `it is out since ${timeText(nowMs - ageMs)}` }
  const reason = `${whenOf(subject)}, and ${hours(minimumReleaseAgeMs)} are asked for`
  const exception = ageException(about)
  if (exception !== undefined) return { outcome: 'waived', reason: `${reason}; releaseAgeExceptions: ${exception}` }
  const write = exceptionsToWrite(about)
  if (publishedAtMs === undefined) return { outcome: 'refused', reason, fix: `W${write.slice(1)}` }
  return { outcome: 'refused', reason, fix: `Wait until ${timeText(publishedAtMs + minimumReleaseAgeMs)}, or ${write}` }
}

/** What is known of the time of publishing, for people. */
function whenOf({ publishedAtMs, source }: Subject): string {
  if (publishedAtMs !== undefined) return `it came out at ${timeText(publishedAtMs)}`
  if (source.startsWith('git:')) return 'the date of a commit is whatever its author wrote, so nobody says when it came out'
  if (source.startsWith('bundle:')) return 'what a bundle says of times is its maker’s word, so nobody says when it came out'
  return 'nobody says when it came out'
}

/** Why this package may be younger: by name, by who vouches for it, by where it is from. */
function ageException({ subject, policy, publisher, vouching }: Case): string | undefined {
  const { id, version, source } = subject
  const isVouched = vouching !== undefined && vouching.count >= vouching.threshold
  const by = publisher !== undefined && isVouched ? `publisher:${publisher.name}` : undefined
  const exceptions = Object.entries(policy.releaseAgeExceptions ?? {})
  return exceptions.find(([name]) => name === `${id}@${version}` || name === by || matchesBeginning(source, name))?.[1]
}

function exceptionsToWrite({ subject, publisher }: Case): string {
  const { id, version, source } = subject
  const signed = publisher === undefined ? '' : `, "publisher:${publisher.name}" what ${publisher.name} signed`
  return (
    `write releaseAgeExceptions: {"${id}@${version}": "<why>"} into the trust policy; ` +
    `"${source}" there takes all of that source${signed}.`
  )
}

function told({ advisory: { id, summary, versions }, found }: Hit): string {
  const module = found?.module
  return module === undefined
    ? `${id}: ${summary} (${versions})`
    : `${id}: ${summary} (${module.name} ${versions}; ${printable(`${module.version} is in ${found?.file ?? ''}`)})`
}

function isWithin(version: string, range: string): boolean {
  try {
    return new Range(range, { includePrerelease: true }).test(new SemVer(version))
  } catch {
    return true
  }
}

function hours(ms: number): string {
  return `${Math.round(ms / 360_000) / 10} hours`
}

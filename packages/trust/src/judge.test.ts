import assert from 'node:assert/strict'
import { test } from 'node:test'
import { archive, dayMs, digest, nowMs, policyOf, ruleOf, subjectOf } from './fixtures/acme.ts'
import { judge, type Finding, type RuleName, type RuleResult } from './index.ts'

const order: readonly RuleName[] = [
  'digest',
  'revoked-digest',
  'signature',
  'publisher',
  'allow-deny',
  'advisory',
  'release-age',
  'findings',
]

test('a package that its publisher signed may run, and every rule says why in the fixed order', () => {
  const verdict = judge(subjectOf(), policyOf(), nowMs)
  assert.deepEqual([verdict.ok, verdict.trust, verdict.publisher], [true, 'signed', 'Acme'])
  assert.deepEqual(
    verdict.rules.map(({ rule }) => rule),
    order,
  )
  assert.ok(verdict.rules.every(({ reason }) => reason.length > 0))
})

test('a refusal leaves no rule out, and each that refuses says what to do', () => {
  const findings: readonly Finding[] = [{ rule: 'static/eval', severity: 'danger', file: 'a.js', line: 3, message: 'calls eval' }]
  const bad = subjectOf({ digest: 'sha256:no', attestations: [], findings, locked: { digest } })
  const verdict = judge(
    bad,
    { deny: ['s3'], revokedDigests: { 'sha256:no': 'a test' }, minimumReleaseAgeMs: 1, advisories: [advisory('*', 'disable')] },
    nowMs,
  )
  assert.deepEqual([verdict.ok, verdict.trust, verdict.publisher], [false, 'unsigned', undefined])
  assert.deepEqual(
    verdict.rules.map(({ rule }) => rule),
    order,
  )
  for (const { rule, outcome, fix = '' } of verdict.rules) {
    assert.equal(outcome, 'refused', rule)
    assert.match(fix, /^[A-Z].*\.$/, rule)
  }
})

test('the empty policy refuses what nobody signed and says what to write where', () => {
  const verdict = judge(subjectOf({ attestations: [] }), {}, nowMs)
  assert.equal(verdict.ok, false)
  const { reason, fix = '' } = ruleOf('signature', subjectOf({ attestations: [] }), {})
  assert.equal(reason, 'nobody signed it')
  for (const word of ['keys.<name>.publicKey', 'publishers', '"acme/*"', '"npm:@acme/s3" under allowUnsigned'])
    assert.ok(fix.includes(word), word)
})

test('the empty policy refuses what somebody signed whom it does not know, and names the file', () => {
  const { outcome, reason, file } = ruleOf('signature', subjectOf(), {})
  assert.deepEqual([outcome, file], ['refused', '.backplane/acme.json'])
  assert.match(reason, /signed with key sha256:[0-9a-f]{64} that the policy does not hold/)
})

test('what the lock approved must be what would run, tree and archive', () => {
  const other = digest.replace(/.$/, (last) => (last === '0' ? '1' : '0'))
  assert.equal(ruleOf('digest', subjectOf(), policyOf()).outcome, 'silent')
  assert.equal(ruleOf('digest', subjectOf({ locked: { digest } }), policyOf()).outcome, 'passed')
  assert.equal(ruleOf('digest', subjectOf({ locked: { digest: other } }), policyOf()).outcome, 'refused')
  assert.equal(ruleOf('digest', subjectOf({ archive, locked: { digest, archive } }), policyOf()).outcome, 'passed')
  assert.equal(ruleOf('digest', subjectOf({ archive, locked: { digest, archive: other } }), policyOf()).outcome, 'refused')
  assert.equal(ruleOf('digest', subjectOf({ digest: digest.toUpperCase() }), policyOf()).outcome, 'refused')
})

test('a revoked digest never runs again, be it of the tree or of the archive, also of the host itself', () => {
  for (const revoked of [digest, archive]) {
    const policy = policyOf({ revokedDigests: { [revoked]: 'it mined coins' } })
    for (const origin of ['external', 'bundled'] as const) {
      const { outcome, reason } = ruleOf('revoked-digest', subjectOf({ archive, origin }), policy)
      assert.equal(outcome, 'refused')
      assert.match(reason, /it mined coins/)
    }
  }
  assert.equal(ruleOf('revoked-digest', subjectOf(), policyOf({ revokedDigests: { [archive]: 'x' } })).outcome, 'passed')
})

test('the host trusts what came with it, but for revoked digests, lists of names and advisories', () => {
  const bundled = subjectOf({ origin: 'bundled', attestations: [], findings: [danger] })
  const verdict = judge(bundled, { minimumReleaseAgeMs: dayMs }, nowMs)
  assert.deepEqual([verdict.ok, verdict.trust], [true, 'bundled'])
  assert.deepEqual(new Set(verdict.rules.map(({ outcome }) => outcome)), new Set(['silent']))
  assert.equal(judge(bundled, { deny: ['acme/*'] }, nowMs).ok, false)
  assert.equal(judge(bundled, { advisories: [advisory('<2', 'disable')] }, nowMs).ok, false)
})

test('the lists of names mean what they mean to the kernel', () => {
  const outcome = (lists: { allow?: readonly string[]; deny?: readonly string[] }): string =>
    ruleOf('allow-deny', subjectOf(), policyOf(lists)).outcome
  assert.equal(outcome({}), 'silent')
  assert.equal(outcome({ deny: ['s3'] }), 'refused')
  assert.equal(outcome({ deny: ['acme/*'] }), 'refused')
  assert.equal(outcome({ deny: ['acme', 'S3'] }), 'passed')
  assert.equal(outcome({ allow: ['acme/s3'], deny: ['*'] }), 'passed')
  assert.equal(outcome({ allow: [] }), 'refused')
})

function advisory(
  versions: string,
  action: 'warn' | 'disable',
): {
  id: string
  plugin: string
  versions: string
  summary: string
  action: 'warn' | 'disable'
} {
  return { id: 'ACME-1', plugin: 'acme/s3', versions, summary: 'it leaks', action }
}

test('an advisory disables the versions in its range, pre-releases too, and one to warn only tells', () => {
  const outcome = (versions: string, version: string, action: 'warn' | 'disable' = 'disable'): string =>
    ruleOf('advisory', subjectOf({ version }), policyOf({ advisories: [advisory(versions, action)] })).outcome
  assert.equal(outcome('<1.2.4', '1.2.3'), 'refused')
  assert.equal(outcome('<1.2.4', '1.2.4'), 'passed')
  assert.equal(outcome('<1.2.4', '1.2.4-rc.1'), 'refused')
  assert.equal(outcome('<1.2.4', '1.2.3+rebuilt'), 'refused')
  assert.equal(outcome('<1.2.4', '1.2.3', 'warn'), 'passed')
  const told = ruleOf('advisory', subjectOf(), policyOf({ advisories: [advisory('*', 'warn')] }))
  assert.match(told.reason, /ACME-1: it leaks/)
})

test('an advisory whose range, or a version that cannot be read, counts as a hit', () => {
  const outcome = (versions: string, version: string): string =>
    ruleOf('advisory', subjectOf({ version }), policyOf({ advisories: [advisory(versions, 'disable')] })).outcome
  assert.equal(outcome('no range', '1.2.3'), 'refused')
  assert.equal(outcome('<1', 'latest'), 'refused')
})

test('a release must have been out for the age that is asked, unless it is named or approved already', () => {
  const policy = policyOf({ minimumReleaseAgeMs: 3 * dayMs })
  const published = (ageDays: number): ReturnType<typeof subjectOf> => subjectOf({ publishedAtMs: nowMs - ageDays * dayMs })
  assert.equal(ruleOf('release-age', subjectOf(), policyOf()).outcome, 'silent')
  assert.equal(ruleOf('release-age', published(3), policy).outcome, 'passed')
  const young = ruleOf('release-age', published(2), policy)
  assert.deepEqual([young.outcome, /Wait until 2026-11-22T12:00:00.000Z/.test(young.fix ?? '')], ['refused', true])
  assert.equal(ruleOf('release-age', published(-1), policy).outcome, 'refused')
  assert.equal(ruleOf('release-age', subjectOf(), policy).outcome, 'refused')
  assert.equal(ruleOf('release-age', subjectOf({ locked: { digest } }), policy).outcome, 'passed')
  const excepted = { ...policy, releaseAgeExceptions: { 'acme/s3@1.2.3': 'mends a leak' } }
  assert.match(ruleOf('release-age', published(2), excepted).reason, /mends a leak/)
  assert.equal(ruleOf('release-age', published(2), excepted).outcome, 'waived')
  assert.equal(ruleOf('release-age', { ...published(2), version: '1.2.4' }, excepted).outcome, 'refused')
})

const danger: Finding = {
  rule: 'static/child-process',
  severity: 'danger',
  file: 'dist/run.js',
  line: 7,
  message: 'starts programs',
}
const warning: Finding = { rule: 'static/wasm', severity: 'warning', file: 'dist/a.wasm', message: 'is WebAssembly' }

test('a finding refuses from the severity that the policy says, and names place and rule', () => {
  const outcome = (refuseFindings: 'warning' | 'danger' | 'never', findings: readonly Finding[]): string =>
    ruleOf('findings', subjectOf({ findings }), policyOf({ refuseFindings })).outcome
  assert.equal(ruleOf('findings', subjectOf(), policyOf()).outcome, 'silent')
  assert.equal(outcome('danger', [warning]), 'passed')
  assert.equal(outcome('warning', [warning]), 'refused')
  assert.equal(outcome('danger', [danger]), 'refused')
  assert.equal(outcome('never', [danger]), 'waived')
  const { reason, file, fix = '' } = ruleOf('findings', subjectOf({ findings: [warning, danger] }), policyOf())
  assert.equal(file, 'dist/run.js')
  assert.match(reason, /static\/child-process: starts programs \(dist\/run\.js:7\)/)
  assert.match(fix, /acceptedFindings: \{"acme\/s3": \{"static\/child-process"/)
})

test('a finding is accepted for one plugin and one rule, with its reason in the verdict', () => {
  const policy = policyOf({ acceptedFindings: { 'acme/s3': { 'static/child-process': 'runs rclone' } } })
  const { outcome, reason } = ruleOf('findings', subjectOf({ findings: [danger] }), policy)
  assert.deepEqual([outcome, /runs rclone/.test(reason)], ['waived', true])
  assert.equal(ruleOf('findings', subjectOf({ findings: [danger], id: 'acme/s4' }), policy).outcome, 'refused')
  const other: Finding = { ...danger, rule: 'static/eval' }
  assert.equal(ruleOf('findings', subjectOf({ findings: [danger, other] }), policy).outcome, 'refused')
  assert.equal(ruleOf('findings', subjectOf({ findings: [{ ...danger, rule: 'constructor' }] }), policy).outcome, 'refused')
})

test('the date of a commit is no time of publishing, and the refusal says so and how to take its source or publisher', () => {
  const source = 'git:https://git.example.org/acme/s3.git'
  const policy = (exceptions: Readonly<Record<string, string>> = {}): ReturnType<typeof policyOf> =>
    policyOf({ minimumReleaseAgeMs: 3 * dayMs, releaseAgeExceptions: exceptions })
  const asked = (exceptions?: Readonly<Record<string, string>>, over: Parameters<typeof subjectOf>[0] = {}): RuleResult =>
    ruleOf('release-age', subjectOf({ source, ...over }), policy(exceptions))
  const refused = asked()
  assert.equal(refused.outcome, 'refused')
  assert.match(refused.reason, /the date of a commit is whatever its author wrote/)
  assert.match(
    refused.fix ?? '',
    /^Write releaseAgeExceptions: .*"git:https:\/\/git\.example\.org\/acme\/s3\.git".*"publisher:Acme"/,
  )
  for (const name of [source, 'git:https://git.example.org/*', 'publisher:Acme', 'acme/s3@1.2.3']) {
    assert.equal(asked({ [name]: 'we build it ourselves' }).outcome, 'waived', name)
  }
  for (const name of ['git:https://git.example.org/acme/s3', 'git:https://git.example.org/other/*', 'publisher:Other']) {
    assert.equal(asked({ [name]: 'we build it ourselves' }).outcome, 'refused', name)
  }
  assert.equal(asked({ 'publisher:Acme': 'x' }, { attestations: [] }).outcome, 'refused', 'nobody of Acme signed that')
  const bundle = asked({}, { source: 'bundle:/media/usb/plugins.bundle' })
  assert.match(bundle.reason, /its maker’s word/)
})

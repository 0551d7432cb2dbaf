import assert from 'node:assert/strict'
import { test } from 'node:test'
import { acme, acme2, nowMs, policyOf, ruleOf, signed, stranger, subjectOf } from './fixtures/acme.ts'
import { judge, type Attestation, type TrustPolicy } from './index.ts'

const { publicKey } = acme
const isOk = (attestations: readonly Attestation[], policy: TrustPolicy): boolean =>
  judge(subjectOf({ attestations }), policy, nowMs).ok

test('the publisher with the longest pattern decides, and the key of another publisher is worth nothing', () => {
  const policy: TrustPolicy = {
    keys: { acme: { publicKey }, s3: { publicKey: acme2.publicKey }, all: { publicKey: stranger.publicKey } },
    publishers: [
      { name: 'Anybody', ids: '*', signers: [{ key: 'all' }] },
      { name: 'Acme', ids: 'acme/*', signers: [{ key: 'acme' }] },
      { name: 'S3 team', ids: 'acme/s3', signers: [{ key: 's3' }] },
    ],
  }
  assert.ok(!isOk([signed()], policy))
  assert.ok(!isOk([signed(stranger.privateKey)], policy))
  assert.equal(judge(subjectOf({ attestations: [signed(acme2.privateKey)] }), policy, nowMs).publisher, 'S3 team')
  const other = (id: string, key: string): boolean =>
    judge(subjectOf({ id, attestations: [signed(key, { id })] }), policy, nowMs).ok
  assert.ok(other('acme/ftp', acme.privateKey))
  assert.ok(other('evil/s3', stranger.privateKey))
  assert.ok(!other('evil/s3', acme.privateKey))
  assert.ok(!other('acme-evil/s3', acme.privateKey))
})

test('a threshold that nobody checked and that is none is met by nobody', () => {
  for (const threshold of [0, -1, 0.5, Number.NaN]) {
    const publishers = [{ name: 'Acme', ids: 'acme/*', threshold, signers: [{ key: 'acme-2026' }] }]
    assert.ok(!isOk([signed()], policyOf({ publishers })), String(threshold))
  }
})

test('a signature of a key whose owner may not publish the id is refused, and says what to write', () => {
  const policy = policyOf({ publishers: [] })
  assert.equal(ruleOf('signature', subjectOf(), policy).outcome, 'passed')
  const { outcome, fix } = ruleOf('publisher', subjectOf(), policy)
  assert.deepEqual([outcome, fix?.includes('"acme/*"')], ['refused', true])
})

test('unsigned packages are taken where the policy says so, loudly, and never those of a publisher by a word for all', () => {
  const unsigned = subjectOf({ attestations: [], source: 'directory:/srv/plugins/dev' })
  const verdictOf = (policy: TrustPolicy): ReturnType<typeof judge> => judge(unsigned, policy, nowMs)
  const taken = verdictOf({ allowUnsigned: true })
  assert.deepEqual([taken.ok, taken.trust], [true, 'unsigned'])
  for (const index of [2, 3]) {
    assert.equal(taken.rules[index]?.outcome, 'waived')
    assert.match(taken.rules[index]?.reason ?? '', /allowUnsigned: true takes it/)
  }
  assert.equal(verdictOf({ allowUnsigned: false }).ok, false)
  assert.equal(verdictOf({ allowUnsigned: [] }).ok, false)
  assert.equal(verdictOf({ allowUnsigned: ['directory:/srv/plugins'] }).ok, false)
  assert.equal(verdictOf({ allowUnsigned: ['directory:/srv/plugins/dev'] }).ok, true)
  assert.equal(verdictOf({ allowUnsigned: ['directory:/srv/*'] }).ok, true)
  assert.equal(verdictOf(policyOf({ allowUnsigned: true })).ok, false)
  assert.equal(verdictOf(policyOf({ allowUnsigned: ['directory:/srv/plugins/dev'] })).ok, true)
})

test('a signature of a stranger is as good as none', () => {
  const foreign = subjectOf({ attestations: [signed(stranger.privateKey)] })
  assert.deepEqual([judge(foreign, { allowUnsigned: true }, nowMs).ok, judge(foreign, {}, nowMs).ok], [true, false])
})

test('what strangers write cannot speak to a terminal through a verdict', () => {
  const file = '.backplane/\u001B[2Jok\u202E.json'
  const subject = subjectOf({ attestations: [{ ...signed(stranger.privateKey), file }] })
  for (const { reason, fix = '' } of judge(subject, {}, nowMs).rules) assert.doesNotMatch(reason + fix, /\p{C}/u)
})

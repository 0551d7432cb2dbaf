import assert from 'node:assert/strict'
import { hash, sign } from 'node:crypto'
import { test } from 'node:test'
import { acme, acme2, archive, dayMs, digest, nowMs, policyOf, ruleOf, signed, stranger, subjectOf } from './fixtures/acme.ts'
import {
  defaultTrustLimits,
  judge,
  packagePredicateType,
  statementPayloadType,
  type Attestation,
  type EnvelopeJson,
  type TrustedKey,
  type TrustPolicy,
} from './index.ts'
import { preAuthentication, signEnvelope } from './envelope.ts'

const publicKey = acme.publicKey
const withKey = (key: Partial<TrustedKey>): TrustPolicy => policyOf({ keys: { 'acme-2026': { publicKey, ...key } } })
const isOk = (attestations: readonly Attestation[], policy: TrustPolicy = policyOf()): boolean =>
  judge(subjectOf({ attestations }), policy, nowMs).ok
const envelopeOf = ({ content }: Attestation): EnvelopeJson => content as EnvelopeJson
const at = (file: string, content: unknown): Attestation => ({ file, content })

test('an expired key does not break what it signed while it was good', () => {
  assert.ok(isOk([signed()], withKey({ notAfterMs: nowMs - dayMs })))
  const { outcome, reason } = ruleOf('signature', subjectOf(), withKey({ notAfterMs: nowMs - dayMs - 1 }))
  assert.equal(outcome, 'refused')
  assert.match(reason, /made at 2026-11-20T12:00:00.000Z, and key acme-2026 counts until 2026-11-20T11:59:59.999Z/)
})

test('a signature from before the key counts is worth nothing', () => {
  assert.ok(isOk([signed()], withKey({ notBeforeMs: nowMs - dayMs })))
  assert.ok(!isOk([signed()], withKey({ notBeforeMs: nowMs - dayMs + 1 })))
})

test('a revoked key never counts, also for what it says it signed long ago', () => {
  const long = signed(acme.privateKey, { signedAtMs: nowMs - 900 * dayMs })
  assert.ok(isOk([long]))
  const { outcome, reason } = ruleOf('signature', subjectOf({ attestations: [long] }), withKey({ revoked: 'stolen in March' }))
  assert.deepEqual([outcome, /key acme-2026 is revoked \(stolen in March\)/.test(reason)], ['refused', true])
})

test('a revoked key stays revoked under a second name', () => {
  const keys = { old: { publicKey, revoked: 'stolen' }, 'acme-2026': { publicKey } }
  assert.ok(!isOk([signed()], policyOf({ keys })))
})

test('a signature that does not say when it was made counts as made now', () => {
  const statement = {
    _type: 'https://in-toto.io/Statement/v1',
    subject: [{ name: 'x', digest: { backplaneTree1: digest.slice(7) } }],
    predicateType: packagePredicateType,
    predicate: { id: 'acme/s3', version: '1.2.3' },
  }
  const timeless = at('a.json', signEnvelope(statementPayloadType, statement, [acme.privateKey]))
  assert.ok(isOk([timeless], withKey({ notAfterMs: nowMs })))
  assert.ok(!isOk([timeless], withKey({ notAfterMs: nowMs - 1 })))
})

test('a signature from the future is refused beyond what clocks differ', () => {
  const { clockSkewMs } = defaultTrustLimits
  assert.ok(isOk([signed(acme.privateKey, { signedAtMs: nowMs + clockSkewMs })]))
  assert.ok(!isOk([signed(acme.privateKey, { signedAtMs: nowMs + clockSkewMs + 1 })]))
})

test('a key that the policy names and does not hold is said, never skipped', () => {
  const policy = policyOf({ keys: {} })
  const { outcome, reason, fix } = ruleOf('publisher', subjectOf(), policy)
  assert.equal(outcome, 'refused')
  assert.match(reason, /names and does not hold key acme-2026/)
  assert.match(fix ?? '', /keys\.acme-2026\.publicKey/)
  assert.equal(judge(subjectOf(), { ...policy, allowUnsigned: true }, nowMs).ok, false)
  const broken = policyOf({ keys: { 'acme-2026': { publicKey: 'no key' } } })
  assert.match(ruleOf('publisher', subjectOf(), broken).reason, /does not hold key acme-2026/)
})

test('a bad signature names its file and the reason', () => {
  const envelope = envelopeOf(signed())
  const forged = { ...envelope, payload: Buffer.from('{"_type":"x"}').toString('base64') }
  const subject = subjectOf({ attestations: [at('.backplane/forged.json', forged)] })
  const { outcome, reason, file } = ruleOf('signature', subject, policyOf())
  assert.deepEqual([outcome, file], ['refused', '.backplane/forged.json'])
  assert.match(reason, /\.backplane\/forged\.json: the signature of key acme-2026 is not over what is in it/)
})

test('a bad signature is refused also where unsigned packages are taken', () => {
  const forged = { ...envelopeOf(signed()), payload: Buffer.from('{}').toString('base64') }
  const subject = subjectOf({ attestations: [at('a.json', forged)] })
  for (const allowUnsigned of [true, ['npm:@acme/s3']]) {
    assert.equal(judge(subject, policyOf({ publishers: [], allowUnsigned }), nowMs).ok, false)
  }
})

const two = policyOf({
  keys: { one: { publicKey }, two: { publicKey: acme2.publicKey }, again: { publicKey } },
  publishers: [{ name: 'Acme', ids: 'acme/*', threshold: 2, signers: [{ key: 'one' }, { key: 'two' }, { key: 'again' }] }],
})

test('a threshold counts keys and not signatures, nor names of keys, nor files', () => {
  const once = envelopeOf(signed())
  const [signature] = once.signatures
  const twice = at('a.json', { ...once, signatures: [signature, { ...signature, keyid: 'two' }] })
  assert.ok(!isOk([twice], two))
  assert.ok(!isOk([signed(), signed(acme.privateKey, { signedAtMs: nowMs })], two))
  assert.ok(isOk([signed(), signed(acme2.privateKey)], two))
  const { reason } = ruleOf('publisher', subjectOf(), two)
  assert.match(reason, /1 of 2 signers of Acme .* missing: key two, key again/)
})

test('a threshold is met by two signatures of one envelope', () => {
  const [payload, other] = [envelopeOf(signed()), envelopeOf(signed(acme2.privateKey))]
  const both = { ...payload, signatures: [...payload.signatures, ...other.signatures] }
  assert.ok(isOk([at('a.json', both)], two))
})

test('a key id is a hint: one that lies neither adds trust nor takes it', () => {
  const lies = (content: EnvelopeJson, keyid: string): Attestation =>
    at('a.json', { ...content, signatures: content.signatures.map(({ sig }) => ({ keyid, sig })) })
  assert.ok(!isOk([lies(envelopeOf(signed(stranger.privateKey)), acme.id)]))
  assert.ok(!isOk([lies(envelopeOf(signed(stranger.privateKey)), 'acme-2026')]))
  assert.ok(isOk([lies(envelopeOf(signed()), stranger.id)]))
  assert.ok(isOk([lies(envelopeOf(signed(acme2.privateKey)), 'one'), lies(envelopeOf(signed()), 'two')], two))
  assert.ok(isOk([lies(envelopeOf(signed()), '')]))
  assert.ok(isOk([lies(envelopeOf(signed()), '__proto__')]))
})

test('base64 that could be written otherwise is refused', () => {
  const envelope = envelopeOf(signed())
  const [signature = { keyid: '', sig: '' }] = envelope.signatures
  const respelled = [
    signature.sig.replace(/=+$/, ''),
    `${signature.sig}\n`,
    ` ${signature.sig}`,
    signature.sig.replace(/.==$/, (end) => `${end[0] === 'A' ? 'B' : String.fromCodePoint((end.codePointAt(0) ?? 0) + 1)}==`),
  ]
  for (const sig of respelled) {
    assert.ok(!isOk([at('a.json', { ...envelope, signatures: [{ ...signature, sig }] })]), JSON.stringify(sig))
  }
  assert.ok(!isOk([at('a.json', { ...envelope, payload: `${envelope.payload}=` })]))
})

test('the type of the payload is signed with it and must be that of a statement', () => {
  const envelope = envelopeOf(signed())
  assert.ok(!isOk([at('a.json', { ...envelope, payloadType: 'application/json' })]))
  const payload: unknown = JSON.parse(Buffer.from(envelope.payload, 'base64').toString())
  const otherType = signEnvelope('application/vnd.backplane.policy.v1+json', payload, [acme.privateKey])
  const { outcome, reason } = ruleOf('signature', subjectOf({ attestations: [at('a.json', otherType)] }), policyOf())
  assert.equal(outcome, 'refused')
  assert.match(reason, /its payload is application\/vnd\.backplane\.policy/)
})

test('a signature over other bytes is worth nothing', () => {
  const other = `sha256:${hash('sha256', 'other bytes')}`
  const { outcome, reason } = ruleOf('signature', subjectOf({ digest: other }), policyOf())
  assert.deepEqual([outcome, /about other bytes than these/.test(reason)], ['refused', true])
})

test('a signature over the archive counts where the archive is these bytes', () => {
  const other = `sha256:${hash('sha256', 'a tree that the publisher never saw')}`
  const over = signed(acme.privateKey, { digest: other, archive })
  assert.ok(!isOk([over]))
  assert.ok(judge(subjectOf({ archive, attestations: [over] }), policyOf(), nowMs).ok)
})

test('a digest of the tree does not pass for one of an archive', () => {
  const asFile = signed(acme.privateKey, { digest: archive, archive: digest })
  assert.ok(!isOk([asFile]))
})

test('a statement for another version or id is worth nothing, also over the same bytes', () => {
  for (const over of [{ version: '1.2.4' }, { id: 'acme/s4' }]) {
    const { outcome, reason } = ruleOf('signature', subjectOf({ attestations: [signed(acme.privateKey, over)] }), policyOf())
    assert.deepEqual([outcome, /it is about acme\/s[34]@1\.2\.[34]/.test(reason)], ['refused', true])
  }
})

test('a statement that says something else about the package does not vouch for it', () => {
  const statement = {
    _type: 'https://in-toto.io/Statement/v1',
    subject: [{ name: 'x', digest: { backplaneTree1: digest.slice(7) } }],
    predicate: { id: 'acme/s3', version: '1.2.3' },
  }
  for (const predicateType of ['https://in-toto.io/attestation/vulns/v0.1', 'https://slsa.dev/provenance/v1', undefined]) {
    const content = signEnvelope(statementPayloadType, { ...statement, predicateType }, [acme.privateKey])
    assert.ok(!isOk([at('a.json', content)]), String(predicateType))
  }
})

test('one wrong digest spoils a subject, and keys given twice spoil a statement', () => {
  const hex = digest.slice(7)
  const predicate = { id: 'acme/s3', version: '1.2.3' }
  const contradicting = {
    _type: 'https://in-toto.io/Statement/v1',
    subject: [{ name: 'x', digest: { backplaneTree1: hex, sha256: 'f'.repeat(64) } }],
    predicateType: packagePredicateType,
    predicate,
  }
  const content = signEnvelope(statementPayloadType, contradicting, [acme.privateKey])
  assert.ok(!judge(subjectOf({ archive, attestations: [at('a.json', content)] }), policyOf(), nowMs).ok)
  const [name, again] = ['"version":"1.2.3"', '"version":"9.9.9","version":"1.2.3"']
  const payload = Buffer.from(envelopeOf(signed()).payload, 'base64').toString().replace(name, again)
  const bytes = Buffer.from(payload)
  const sig = sign(null, preAuthentication(statementPayloadType, bytes), acme.privateKey).toString('base64')
  const raw = { payloadType: statementPayloadType, payload: bytes.toString('base64'), signatures: [{ sig }] }
  assert.ok(!isOk([at('a.json', raw)]))
})

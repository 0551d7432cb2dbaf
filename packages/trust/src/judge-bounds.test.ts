import assert from 'node:assert/strict'
import { test } from 'node:test'
import { acme, nowMs, policyOf, ruleOf, signed, stranger, subjectOf } from './fixtures/acme.ts'
import { defaultTrustLimits, judge, type Attestation, type EnvelopeJson, type TrustedKey, type TrustPolicy } from './index.ts'

const { publicKey } = acme
const withKey = (key: Partial<TrustedKey>): TrustPolicy => policyOf({ keys: { 'acme-2026': { publicKey, ...key } } })
const isOk = (attestations: readonly Attestation[]): boolean => judge(subjectOf({ attestations }), policyOf(), nowMs).ok
const envelopeOf = ({ content }: Attestation): EnvelopeJson => content as EnvelopeJson
const at = (file: string, content: unknown): Attestation => ({ file, content })

test('ten thousand signatures, or attestations, are bounded and named', () => {
  const envelope = envelopeOf(signed())
  const flood = { ...envelope, signatures: Array.from({ length: 10_000 }, () => envelope.signatures[0]) }
  const flooded = ruleOf('signature', subjectOf({ attestations: [at('flood.json', flood)] }), policyOf())
  assert.match(flooded.reason, /10000 signatures; at most 16 are read/)
  const one = signed()
  const many = Array.from({ length: 10_000 }, () => one)
  const files = ruleOf('signature', subjectOf({ attestations: many }), withKey({ revoked: 'x' }))
  assert.match(files.reason, /and 29 more/)
  assert.ok(isOk(many), 'those that are read count')
})

test('signatures that would have to be tried are bounded', () => {
  const limits = { ...defaultTrustLimits, verifications: 3 }
  const content = signed(stranger.privateKey)
  const attestations = [content, content, content, content, signed()]
  const verdict = judge(subjectOf({ attestations }), policyOf(), nowMs, limits)
  assert.equal(verdict.ok, false)
  assert.match(verdict.rules[2]?.reason ?? '', /more than 3 signatures would have to be tried/)
})

test('a payload that is too long is not read', () => {
  const limits = { ...defaultTrustLimits, payloadBytes: 64 }
  assert.match(judge(subjectOf(), policyOf(), nowMs, limits).rules[2]?.reason ?? '', /longer than 64 bytes/)
})

test('an attestation of any shape is an answer and no throw', () => {
  const deep: unknown[] = []
  let end = deep
  for (let depth = 0; depth < 100_000; depth += 1) end.push((end = []))
  const shapes: readonly unknown[] = [
    null,
    7,
    'x',
    [],
    {},
    deep,
    { verificationMaterial: null },
    { verificationMaterial: { publicKey: {} } },
  ]
  for (const content of [...shapes, { payloadType: 'x', payload: 'AA==', signatures: [null] }]) {
    assert.equal(isOk([at('a.json', content)]), false)
    assert.ok(isOk([at('a.json', content), signed()]), 'and takes nothing from one that holds')
  }
})

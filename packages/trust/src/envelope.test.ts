import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { PlatformError } from '@backplane/sdk'
import { parseEnvelope, preAuthentication } from './envelope.ts'
import { nowMs, policyOf, signed, subjectOf } from './fixtures/acme.ts'
import { defaultTrustLimits, judge, type EnvelopeJson } from './index.ts'

const json = JSON.stringify(signed().content)

test('what is signed is type and payload, each with its length', () => {
  const bytes = preAuthentication('http://example.com/HelloWorld', Buffer.from('hello world'))
  assert.equal(Buffer.from(bytes).toString(), 'DSSEv1 29 http://example.com/HelloWorld 11 hello world')
})

test('whatever an envelope is, reading it ends with an envelope or the one coded error', () => {
  const almost = fc.record(
    {
      payloadType: fc.oneof(fc.string(), fc.anything()),
      payload: fc.oneof(fc.base64String(), fc.anything()),
      signatures: fc.oneof(
        fc.array(fc.oneof(fc.record({ keyid: fc.anything(), sig: fc.anything() }), fc.anything())),
        fc.anything(),
      ),
    },
    { requiredKeys: [] },
  )
  fc.assert(
    fc.property(fc.oneof(fc.anything({ withNullPrototype: true, withBigInt: true }), almost), (value) => {
      try {
        assert.ok(parseEnvelope(value, defaultTrustLimits).signatures.length > 0)
      } catch (error) {
        assert.ok(error instanceof PlatformError)
        assert.equal(error.code, 'TRUST_ENVELOPE_INVALID')
      }
    }),
    { numRuns: 2000 },
  )
})

test('an envelope with one character changed is never accepted, but for the hint whose key it is', () => {
  const hint = json.indexOf('"keyid"')
  const afterHint = json.indexOf('"sig"')
  fc.assert(
    fc.property(fc.nat(json.length - 1), fc.integer({ min: 32, max: 126 }), (index, code) => {
      const changed = json.slice(0, index) + String.fromCodePoint(code) + json.slice(index + 1)
      fc.pre(changed !== json && (index < hint || index >= afterHint))
      let content: unknown
      try {
        content = JSON.parse(changed)
      } catch {
        return
      }
      assert.equal(judge(subjectOf({ attestations: [{ file: 'a.json', content }] }), policyOf(), nowMs).ok, false)
    }),
    { numRuns: 1500 },
  )
})

test('an envelope with bytes of its payload or signature changed is never accepted', () => {
  const envelope = signed().content as EnvelopeJson
  const [signature] = envelope.signatures
  fc.assert(
    fc.property(fc.boolean(), fc.nat(), fc.integer({ min: 1, max: 255 }), fc.boolean(), (inPayload, place, flip, cut) => {
      const bytes = Buffer.from(inPayload ? envelope.payload : (signature?.sig ?? ''), 'base64')
      const index = place % bytes.length
      const changed = cut ? bytes.subarray(0, index) : Buffer.from(bytes)
      if (!cut) changed[index] = (changed[index] ?? 0) ^ flip
      const text = changed.toString('base64')
      const content = inPayload ? { ...envelope, payload: text } : { ...envelope, signatures: [{ ...signature, sig: text }] }
      assert.equal(judge(subjectOf({ attestations: [{ file: 'a.json', content }] }), policyOf(), nowMs).ok, false)
    }),
    { numRuns: 1000 },
  )
})

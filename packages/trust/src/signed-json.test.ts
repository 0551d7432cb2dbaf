import assert from 'node:assert/strict'
import { test } from 'node:test'
import { defaultTrustLimits, generateKey, openJson, signJson } from './index.ts'

const type = 'application/vnd.example+json'
const [one, two] = [generateKey(), generateKey()]

test('a value is opened with how many of the keys signed it, each counted once', () => {
  const signed = signJson(type, { a: 1 }, [one.privateKey])
  assert.deepEqual(openJson(signed, type, [one.publicKey]), { value: { a: 1 }, signers: 1 })
  assert.equal(openJson(signed, type, [one.publicKey, one.publicKey, two.publicKey]).signers, 1)
  assert.deepEqual(openJson(signed, type, [two.publicKey]), { value: undefined, signers: 0 })
  const changed = { ...signed, payload: Buffer.from('{"a":2}').toString('base64') }
  assert.equal(openJson(changed, type, [one.publicKey]).signers, 0)
})

test('what was signed as something else, or has more than one meaning, is not opened', () => {
  const signed = signJson(type, { a: 1 }, [one.privateKey])
  assert.throws(() => openJson(signed, 'application/json', [one.publicKey]), { code: 'TRUST_ENVELOPE_INVALID' })
  const twice = signJson(type, { toJSON: () => JSON.parse('{"__proto__":1}') as unknown }, [one.privateKey])
  assert.throws(() => openJson(twice, type, [one.publicKey]), { message: /one meaning/ })
  const limits = { ...defaultTrustLimits, payloadBytes: 4 }
  assert.throws(() => openJson(signed, type, [one.publicKey], limits), { message: /longer than 4 bytes/ })
})

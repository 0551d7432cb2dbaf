import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { test } from 'node:test'
import { generateKey, keyId } from './index.ts'

test('a key is named by what it is: the same in every spelling of its PEM, and never by another', () => {
  const { id, publicKey } = generateKey()
  assert.match(id, /^sha256:[0-9a-f]{64}$/)
  assert.equal(keyId(publicKey), id)
  assert.equal(keyId(`\n${publicKey.replaceAll('\n', '\r\n')}\n`), id)
  assert.notEqual(generateKey().id, id)
})

test('a private key, a key of another kind and no key at all are refused where a public one belongs', () => {
  const rsa = generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.export({ type: 'spki', format: 'pem' })
  for (const pem of [generateKey().privateKey, rsa, '', '-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----']) {
    assert.throws(() => keyId(pem), { code: 'TRUST_KEY_INVALID' })
  }
})

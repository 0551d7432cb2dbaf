import assert from 'node:assert/strict'
import { test } from 'node:test'
import { acme, archive, digest, nowMs } from './fixtures/acme.ts'
import { packagePredicateType, signPackage, statementPayloadType } from './index.ts'

test('what is signed is an in-toto statement that names the tree, the archive, id, version and time', () => {
  const envelope = signPackage({ id: 'acme/s3', version: '1.2.3', digest, archive, signedAtMs: nowMs }, acme.privateKey)
  assert.equal(envelope.payloadType, statementPayloadType)
  assert.deepEqual(
    envelope.signatures.map(({ keyid }) => keyid),
    [acme.id],
  )
  assert.deepEqual(JSON.parse(Buffer.from(envelope.payload, 'base64').toString()), {
    _type: 'https://in-toto.io/Statement/v1',
    subject: [
      { name: 'acme/s3@1.2.3', digest: { backplaneTree1: digest.slice(7) } },
      { name: 'acme/s3@1.2.3#archive', digest: { sha256: archive.slice(7) } },
    ],
    predicateType: packagePredicateType,
    predicate: { id: 'acme/s3', version: '1.2.3', signedAt: '2026-11-21T12:00:00.000Z' },
  })
})

test('what cannot be signed is refused', () => {
  const good = { id: 'acme/s3', version: '1.2.3', digest, signedAtMs: nowMs }
  const bad = [
    { id: 's3' },
    { version: '' },
    { version: '1 2' },
    { digest: 'sha256:x' },
    { archive: 'md5:x' },
    { signedAtMs: NaN },
  ]
  for (const over of bad) {
    assert.throws(() => signPackage({ ...good, ...over }, acme.privateKey), { code: 'TRUST_STATEMENT_INVALID' })
  }
  for (const key of ['', 'x', acme.publicKey, acme.privateKey.replace(/[A-Z]/, '!')]) {
    assert.throws(
      () => signPackage(good, key),
      (error: Error & { code?: string }) => {
        assert.equal(error.code, 'TRUST_KEY_INVALID')
        assert.ok(!error.message.includes(acme.privateKey.slice(40, 60)))
        return true
      },
    )
  }
})

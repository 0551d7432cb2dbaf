import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { PlatformError } from '@backplane/sdk'
import { acme, acme2, digest, policyOf } from './fixtures/acme.ts'
import { readPolicy } from './index.ts'

const full = {
  ...policyOf(),
  allow: ['acme/s3', 's3', 'acme/*', '*'],
  deny: ['evil/*'],
  revokedDigests: { [digest]: 'it mined coins' },
  allowUnsigned: ['directory:/srv/plugins/dev', 'npm:@acme/*'],
  minimumReleaseAgeMs: 259_200_000,
  releaseAgeExceptions: { 'acme/s3@1.2.3': 'mends a leak' },
  advisories: [
    { id: 'A-1', plugin: 'acme/s3', versions: '<1.2.3', summary: 'it leaks', action: 'disable', url: 'https://example.org' },
  ],
  refuseFindings: 'warning',
  acceptedFindings: { 'acme/s3': { 'static/child-process': 'runs rclone' } },
}

test('a policy with everything in it is read as it is written, and so is an empty one', () => {
  assert.deepEqual(readPolicy(structuredClone(full)), full)
  assert.deepEqual(readPolicy({}), {})
})

const signer = { key: 'acme-2026' }
const publisher = { name: 'Acme', ids: 'acme/*', signers: [signer] }
const advisory = full.advisories[0]

/** Changes to the policy above and the path that the refusal names. */
const wrong: readonly (readonly [Record<string, unknown>, string, RegExp])[] = [
  [{ publisher: [] }, 'publisher', /is not known; did you mean "publishers"/],
  [{ keys: { 'acme-2026': { publicKey: 'x' } } }, 'keys.acme-2026.publicKey', /no Ed25519 public key/],
  [{ keys: { 'acme-2026': { publicKey: acme.privateKey } } }, 'keys.acme-2026.publicKey', /no Ed25519 public key/],
  [{ keys: { 'acme-2026': { publicKey: acme.publicKey, revoked: true } } }, 'keys.acme-2026.revoked', /./],
  [{ keys: { 'acme-2026': { publicKey: acme.publicKey, notAfter: 1 } } }, 'keys.acme-2026.notAfter', /is not known/],
  [{ keys: { 'acme-2026': acme, b: acme } }, 'keys.acme-2026.id', /is not known/],
  [{ keys: { 'acme-2026': { publicKey: acme.publicKey }, b: { publicKey: acme.publicKey } } }, 'keys.b', /same key as acme-2026/],
  [
    { keys: { 'acme-2026': { publicKey: acme.publicKey, notBeforeMs: 2, notAfterMs: 1 } } },
    'keys.acme-2026.notAfterMs',
    /before/,
  ],
  [
    { keys: { acme2026: { publicKey: acme.publicKey } } },
    'publishers[0].signers[0].key',
    /not under keys; did you mean "acme2026"/,
  ],
  [{ publishers: [{ ...publisher, threshold: 2 }] }, 'publishers[0].threshold', /2 of 1/],
  [{ publishers: [{ ...publisher, threshold: 0 }] }, 'publishers[0].threshold', /./],
  [{ publishers: [{ ...publisher, signers: [] }] }, 'publishers[0].signers', /nobody could sign/],
  [{ publishers: [{ ...publisher, signers: [signer, signer], threshold: 2 }] }, 'publishers[0].signers', /twice/],
  [{ publishers: [publisher, publisher] }, 'publishers[1].ids', /has a publisher above/],
  [{ publishers: [{ ...publisher, ids: 's3' }] }, 'publishers[0].ids', /neither/],
  [{ publishers: [{ ...publisher, ids: 'acme*' }] }, 'publishers[0].ids', /neither/],
  [
    { publishers: [{ ...publisher, signers: [{ issuer: 'https://i', identity: 'https://github.com/acme*' }] }] },
    'publishers[0].signers[0].identity',
    /only at its end/,
  ],
  [
    { publishers: [{ ...publisher, signers: [{ issuer: 'https://i', identity: 'a@b' }] }] },
    'publishers[0].signers',
    /trustedRoot/,
  ],
  [{ sigstore: { trustedRoot: {} } }, 'sigstore.trustedRoot', /names no certificate authority/],
  [{ sigstore: { trustedRoot: { certificateAuthorities: 7 } } }, 'sigstore.trustedRoot', /./],
  [{ sigstore: { trustedRoot: {}, timestamps: 0 } }, 'sigstore.timestamps', /certificates last minutes/],
  [{ deny: ['Acme/S3'] }, 'deny[0]', /would mean no plugin/],
  [{ deny: ['*/s3'] }, 'deny[0]', /would mean no plugin/],
  [{ allow: ['acme/'] }, 'allow[0]', /would mean no plugin/],
  [{ revokedDigests: { [digest.toUpperCase()]: 'x' } }, `revokedDigests.${digest.toUpperCase()}`, /no digest/],
  [{ revokedDigests: { [digest]: '' } }, `revokedDigests.${digest}`, /say why/],
  [{ allowUnsigned: ['*'] }, 'allowUnsigned[0]', /only at its end/],
  [{ allowUnsigned: ['directory:/*'] }, 'allowUnsigned[0]', /name of a place/],
  [{ allowUnsigned: ['directory:/srv/dev*'] }, 'allowUnsigned[0]', /only at its end/],
  [{ allowUnsigned: 'yes' }, 'allowUnsigned', /./],
  [{ minimumReleaseAgeMs: '3 days' }, 'minimumReleaseAgeMs', /./],
  [{ releaseAgeExceptions: { 'acme/s3': 'x' } }, 'releaseAgeExceptions.acme/s3', /publisher\/name@version/],
  [{ releaseAgeExceptions: { 'git:*': 'x' } }, 'releaseAgeExceptions.git:*', /ending in \/\*/],
  [{ releaseAgeExceptions: { 'git:https://*': 'x' } }, 'releaseAgeExceptions.git:https://*', /ending in \/\*/],
  [{ advisories: [{ ...advisory, versions: 'bad' }] }, 'advisories[0].versions', /SemVer/],
  [{ advisories: [{ ...advisory, action: 'remove' }] }, 'advisories[0].action', /./],
  [{ refuseFindings: 'danger ' }, 'refuseFindings', /./],
  [{ acceptedFindings: { s3: {} } }, 'acceptedFindings.s3', /no id/],
]

test('what a policy does not understand it refuses, with the path of each problem', () => {
  for (const [over, path, reason] of wrong) {
    assert.throws(
      () => readPolicy({ ...policyOf(), ...over }),
      (error) => {
        assert.ok(error instanceof PlatformError)
        assert.deepEqual(
          [error.code, error.message.startsWith(`the trust policy is not valid: ${path}: `)],
          ['TRUST_POLICY_INVALID', true],
          error.message,
        )
        assert.match(error.message, reason)
        return true
      },
    )
  }
})

test('every problem is told at once', () => {
  const keys = { 'acme-2026': { publicKey: acme2.publicKey }, b: { publicKey: 7 } }
  assert.throws(
    () => readPolicy({ keys, allow: 7, denied: [] }),
    (error) => {
      assert.ok(error instanceof PlatformError)
      const problems = error.details?.['problems']
      assert.deepEqual([Array.isArray(problems), Array.isArray(problems) && problems.length], [true, 3])
      return true
    },
  )
})

test('what is no object is refused', () => {
  for (const value of [null, undefined, 7, 'allow', []]) assert.throws(() => readPolicy(value), { code: 'TRUST_POLICY_INVALID' })
})

test('whatever is written at one place of a policy, it is a policy or the coded error', () => {
  const places = Object.keys(full)
  fc.assert(
    fc.property(fc.constantFrom(...places), fc.anything({ withNullPrototype: true }), (place, value) => {
      try {
        readPolicy({ ...full, [place]: value })
      } catch (error) {
        assert.ok(error instanceof PlatformError && error.code === 'TRUST_POLICY_INVALID')
      }
    }),
    { numRuns: 1000 },
  )
})

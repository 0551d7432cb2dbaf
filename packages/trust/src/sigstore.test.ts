import assert from 'node:assert/strict'
import { hash } from 'node:crypto'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { acme, digest, nowMs, policyOf, ruleOf, signed, subjectOf } from './fixtures/acme.ts'
import { identity, issuer, privateSigstore, type Bundle } from './fixtures/private-sigstore.ts'
import { judge, packagePredicateType, readPolicy, type Signer, type Subject, type TrustPolicy } from './index.ts'

const instance = await privateSigstore()
const hex = digest.slice('sha256:'.length)
const statement = {
  _type: 'https://in-toto.io/Statement/v1',
  subject: [{ name: 'acme/s3@1.2.3', digest: { backplaneTree1: hex } }],
  predicateType: packagePredicateType,
  predicate: { id: 'acme/s3', version: '1.2.3' },
}

function policy(signers: readonly Signer[] = [{ issuer, identity }], over: Partial<TrustPolicy> = {}): TrustPolicy {
  return { sigstore: instance.policy, publishers: [{ name: 'Acme', ids: 'acme/*', signers }], ...over }
}

const subject = (...bundles: readonly unknown[]): Subject =>
  subjectOf({ attestations: bundles.map((content, index) => ({ file: `.backplane/${index}.sigstore.json`, content })) })
const isOk = (bundle: unknown, trusting: TrustPolicy = policy()): boolean => judge(subject(bundle), trusting, nowMs).ok
const reason = (bundle: unknown, trusting: TrustPolicy = policy()): string =>
  ruleOf('signature', subject(bundle), trusting).reason

const good = await instance.sign({ payload: statement })

/** The bundle with its log entry, or its material, changed. */
function changed(
  bundle: Bundle,
  entry: Readonly<Record<string, unknown>>,
  material: Readonly<Record<string, unknown>> = {},
): unknown {
  const { verificationMaterial } = bundle
  const [first = {}] = verificationMaterial.tlogEntries
  return { ...bundle, verificationMaterial: { ...verificationMaterial, tlogEntries: [{ ...first, ...entry }], ...material } }
}

test('a bundle of an identity that may publish the id vouches for the package, offline', () => {
  const trusting = readPolicy(structuredClone(policy()))
  const verdict = judge(subject(good), trusting, nowMs)
  assert.deepEqual([verdict.ok, verdict.trust, verdict.publisher], [true, 'signed', 'Acme'])
  assert.match(
    verdict.rules[2]?.reason ?? '',
    /release\.yml@refs\/tags\/v1\.2\.3 \(https:\/\/token\.actions\.example\.org\) signed it/,
  )
})

test('a bundle of a log that gives no time vouches with the timestamp of an authority, and not without', async () => {
  const bundle = await instance.sign({ payload: statement, timestamped: true })
  assert.ok(isOk(bundle))
  assert.match(reason(changed(bundle, {}, { timestampVerificationData: undefined })), /expected 1 timestamps, got 0/)
})

test('another identity, or the same of another issuer, vouches for nothing', async () => {
  assert.ok(!isOk(good, policy([{ issuer, identity: `${identity}0` }])))
  assert.ok(!isOk(good, policy([{ issuer: `${issuer}.evil`, identity }])))
  const elsewhere = await instance.sign({ payload: statement, issuer: 'https://evil.example.org' })
  const { outcome, reason: why } = ruleOf('publisher', subject(elsewhere), policy())
  assert.deepEqual([outcome, why.includes(`missing: ${identity}`)], ['refused', true])
})

test('an identity may be a beginning, which counts as one signer however many fit', async () => {
  const beginning = 'https://git.example.org/acme/*'
  const other = await instance.sign({ payload: statement, identity: 'https://git.example.org/acme/other' })
  const evil = await instance.sign({ payload: statement, identity: 'https://git.example.org/acme-evil/s3' })
  assert.ok(isOk(good, policy([{ issuer, identity: beginning }])))
  assert.ok(!isOk(evil, policy([{ issuer, identity: beginning }])))
  const two = (signers: readonly Signer[]): TrustPolicy => ({
    ...policy(),
    publishers: [{ name: 'Acme', ids: 'acme/*', threshold: 2, signers }],
  })
  const both = [
    { issuer, identity: beginning },
    { issuer, identity },
  ]
  assert.equal(judge(subject(good, other), two(both), nowMs).ok, true)
  assert.equal(judge(subject(good, good), two(both), nowMs).ok, false)
  assert.equal(judge(subject(good, other), two([both[0] ?? { key: '' }, { key: 'x' }]), nowMs).ok, false)
})

test('a key and an identity meet a threshold together', () => {
  const signers = [{ key: 'acme-2026' }, { issuer, identity }]
  const both = policyOf({ sigstore: instance.policy, publishers: [{ name: 'Acme', ids: 'acme/*', threshold: 2, signers }] })
  const { attestations } = subject(good)
  assert.ok(judge(subjectOf({ attestations: [...attestations, signed()] }), both, nowMs).ok)
  assert.ok(!judge(subjectOf({ attestations }), both, nowMs).ok)
})

test('a bundle about other bytes, another version or something else vouches for nothing', async () => {
  const other = `sha256:${hash('sha256', 'other')}`
  assert.equal(judge({ ...subject(good), digest: other }, policy(), nowMs).ok, false)
  const older = await instance.sign({ payload: { ...statement, predicate: { id: 'acme/s3', version: '1.2.2' } } })
  assert.match(reason(older), /it is about acme\/s3@1\.2\.2/)
  const scan = await instance.sign({ payload: { ...statement, predicateType: 'https://in-toto.io/attestation/vulns/v0.1' } })
  assert.match(reason(scan), /something else than who made the package/)
  const json = await instance.sign({ payload: statement, payloadType: 'application/json' })
  assert.match(reason(json), /its payload is application\/json/)
})

test('provenance of a build vouches for the archive it names', async () => {
  const archiveSha512 = `sha512:${hash('sha512', 'the archive')}`
  const provenance = {
    ...statement,
    predicateType: 'https://slsa.dev/provenance/v1',
    subject: [{ name: 'pkg:npm/%40acme/s3@1.2.3', digest: { sha512: archiveSha512.slice('sha512:'.length) } }],
    predicate: { buildDefinition: {} },
  }
  const bundle = await instance.sign({ payload: provenance })
  assert.equal(judge({ ...subject(bundle), archiveSha512 }, policy(), nowMs).ok, true)
  assert.equal(judge({ ...subject(bundle), archiveSha512: `sha512:${hash('sha512', 'other')}` }, policy(), nowMs).ok, false)
  assert.equal(isOk(bundle), false)
})

test('provenance of an archive is no more and no less than nothing for a folder', async () => {
  const digests = { sha512: hash('sha512', 'the archive') }
  const payload = { ...statement, predicateType: 'https://slsa.dev/provenance/v1', subject: [{ name: 'x', digest: digests }] }
  const folder = subject(await instance.sign({ payload }))
  assert.match(ruleOf('signature', folder, policy()).reason, /about an archive, and this did not come in one/)
  const development = { sigstore: instance.policy, allowUnsigned: true }
  assert.equal(judge(folder, development, nowMs).ok, true)
  assert.equal(judge({ ...folder, archiveSha512: `sha512:${hash('sha512', 'other')}` }, development, nowMs).ok, false)
})

test('without a trusted root no bundle counts, and the verdict says so', () => {
  const { sigstore, ...without } = policy()
  assert.ok(sigstore !== undefined)
  assert.match(reason(good, without), /the policy has no sigstore\.trustedRoot/)
  assert.match(reason(good, { ...without, sigstore: { trustedRoot: {} } }), /names no certificate authority/)
})

test('a certificate that was out of its minutes when the log took the entry is refused', async () => {
  assert.match(reason(await instance.sign({ payload: statement, loggedAfterMs: 3_600_000 })), /not valid or expired/)
})

test('an entry of a log that the root does not name, a changed one, and one of another bundle are refused', async () => {
  assert.ok(!isOk(await instance.sign({ payload: statement, foreignLog: true })))
  const again = await instance.sign({ payload: statement })
  const [entry = {}] = again.verificationMaterial.tlogEntries
  assert.match(reason(changed(good, entry)), /tlog entry signature mismatch/)
  assert.ok(!isOk(changed(good, { integratedTime: '1700000000' })))
  assert.ok(!isOk(changed(good, { canonicalizedBody: 'e30=' })))
})

test('a time that the log did not promise is no time: a proof of inclusion alone does not date a signature', () => {
  assert.match(reason(changed(good, { inclusionPromise: undefined })), /expected 1 timestamps, got 0/)
})

test('as many logs and certificate logs must hold it as the policy says', () => {
  const { trustedRoot } = instance.policy
  const withLogs = (over: object): TrustPolicy => policy(undefined, { sigstore: { trustedRoot, ...over } })
  assert.match(reason(good, withLogs({ transparencyLogs: 2 })), /expected 2 tlog entries, got 1/)
  assert.match(reason(good, withLogs({ timestamps: 2 })), /expected 2 timestamps, got 1/)
  const [entry] = good.verificationMaterial.tlogEntries
  const doubled = changed(good, {}, { tlogEntries: [entry, entry] })
  assert.match(reason(doubled, withLogs({ transparencyLogs: 2 })), /duplicate/)
  const withoutCertificateLogs = { ...(trustedRoot as object), ctlogs: [] }
  assert.ok(!isOk(good, policy(undefined, { sigstore: { trustedRoot: withoutCertificateLogs } })))
})

test('a certificate that no log holds counts only where the policy asks for none', async () => {
  const unlogged = await privateSigstore({ logsCertificates: false })
  const bundle = await unlogged.sign({ payload: statement })
  assert.match(reason(bundle, policy(undefined, { sigstore: unlogged.policy })), /expected 1 SCTs, got 0/)
  assert.ok(isOk(bundle, policy(undefined, { sigstore: { ...unlogged.policy, certificateLogs: 0 } })))
})

test('a bundle whose logs are not needed still needs a time', () => {
  const unlogged = changed(good, {}, { tlogEntries: [] })
  const without = (over: object): TrustPolicy =>
    policy(undefined, { sigstore: { ...instance.policy, transparencyLogs: 0, ...over } })
  assert.match(reason(unlogged, without({})), /expected 1 timestamps/)
  assert.ok(!isOk(unlogged, without({ timestamps: 0 })))
  assert.ok(!isOk(good, without({ transparencyLogs: Number.NaN })), 'a number that is none asks for more than there is')
})

test('a signature that was changed, or made by another certificate, is refused', async () => {
  const again = await instance.sign({ payload: statement })
  assert.ok(!isOk({ ...good, dsseEnvelope: again.dsseEnvelope }))
  const payload = Buffer.from(JSON.stringify({ ...statement, predicate: {} })).toString('base64')
  assert.ok(!isOk({ ...good, dsseEnvelope: { ...good.dsseEnvelope, payload } }))
})

test('ten thousand log entries or timestamps are counted and not verified', () => {
  const [entry] = good.verificationMaterial.tlogEntries
  const tlogEntries = Array.from({ length: 10_000 }, () => entry)
  assert.match(reason(changed(good, {}, { tlogEntries })), /10000 entries where at most 8 are read/)
  const rfc3161Timestamps = Array.from({ length: 10_000 }, () => ({ signedTimestamp: 'AA==' }))
  assert.match(reason(changed(good, {}, { timestampVerificationData: { rfc3161Timestamps } })), /10000 entries/)
})

test('a bundle of any shape is an answer and no throw', () => {
  const { dsseEnvelope, ...rest } = good
  const shapes = [
    { verificationMaterial: {} },
    { verificationMaterial: [] },
    { ...good, mediaType: 'x' },
    { ...good, dsseEnvelope: { ...dsseEnvelope, signatures: [] } },
    { ...good, dsseEnvelope: { ...dsseEnvelope, payload: 'A'.repeat(2_000_000) } },
    { ...rest, messageSignature: { messageDigest: { algorithm: 'SHA2_256', digest: 'AA==' }, signature: 'AA==' } },
    changed(good, { logId: null, kindVersion: { kind: 'dsse', version: '9' } }),
    changed(good, {}, { certificate: { rawBytes: 'AAAA' } }),
    changed(good, {}, { timestampVerificationData: { rfc3161Timestamps: [{ signedTimestamp: 'AAAA' }] } }),
  ]
  for (const shape of shapes) assert.equal(isOk(shape), false)
})

test('a bundle that holds a plain key instead of a certificate is its envelope, and the key that of the policy', () => {
  const bundle = {
    mediaType: 'application/vnd.dev.sigstore.bundle.v0.3+json',
    verificationMaterial: { publicKey: { hint: 'anything' }, tlogEntries: [] },
    dsseEnvelope: signed().content,
  }
  assert.ok(isOk(bundle, policyOf()))
  assert.ok(!isOk(bundle, policyOf({ keys: { 'acme-2026': { publicKey: acme.publicKey, revoked: 'lost' } } })))
  assert.ok(!isOk({ ...bundle, dsseEnvelope: good.dsseEnvelope }, policyOf()))
})

/** Where the values of a JSON value stand that are no objects. */
function leaves(value: unknown, path: readonly string[] = []): readonly (readonly string[])[] {
  if (typeof value !== 'object' || value === null) return [path]
  return Object.entries(value).flatMap(([key, each]) => leaves(each, [...path, key]))
}

test('a bundle with anything else in one place is an answer and no throw, and what was signed cannot be changed', () => {
  const signedParts = new Set([
    'rawBytes',
    'payload',
    'payloadType',
    'sig',
    'canonicalizedBody',
    'signedEntryTimestamp',
    'integratedTime',
  ])
  const anything = fc.oneof(fc.constantFrom(null, '', 'AAAA', '7', 7, [], {}), fc.string(), fc.anything())
  fc.assert(
    fc.property(fc.constantFrom(...leaves(good)), anything, (path, value) => {
      const bundle: unknown = structuredClone(good)
      const holder = path.slice(0, -1).reduce((at: unknown, key) => Reflect.get(at as object, key), bundle)
      const key = path.at(-1) ?? ''
      fc.pre(Reflect.get(holder as object, key) !== value)
      Reflect.set(holder as object, key, value)
      const ok = isOk(bundle)
      if (signedParts.has(key)) assert.equal(ok, false, path.join('.'))
    }),
    { numRuns: 500 },
  )
})

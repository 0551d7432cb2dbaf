import assert from 'node:assert/strict'
import { test } from 'node:test'
import { PlatformError } from '@backplane/sdk'
import * as fc from 'fast-check'
import { acme, dayMs, nowMs, policyOf } from './fixtures/acme.ts'
import {
  defaultTrustLimits,
  generateKey,
  signPolicy,
  signRoot,
  verifyPolicy,
  type EnvelopeJson,
  type KeyPair,
  type PolicyDocument,
  type PolicyMemory,
  type PolicyRoot,
} from './index.ts'

const keys = { r1: generateKey(), r2: generateKey(), r3: generateKey(), p1: generateKey(), p2: generateKey() }
const attacker = { a1: generateKey(), a2: generateKey() }
const iso = (ms: number): string => new Date(ms).toISOString()
const pem = (pairs: Readonly<Record<string, KeyPair>>): Record<string, string> =>
  Object.fromEntries(Object.entries(pairs).map(([name, { publicKey }]) => [name, publicKey]))

/** Two of three keys sign roots, one signs policies. */
const root: PolicyRoot = {
  version: 1,
  expires: iso(nowMs + 365 * dayMs),
  keys: pem(keys),
  root: { keys: ['r1', 'r2', 'r3'], threshold: 2 },
  policy: { keys: ['p1'], threshold: 1 },
}
const memory: PolicyMemory = { root, lastVersion: 0, lastSeenMs: 0 }
const rootSigners = [keys.r1.privateKey, keys.r2.privateKey]

function policy(over: Partial<PolicyDocument> = {}, signers: readonly string[] = [keys.p1.privateKey]): EnvelopeJson {
  const document = { version: 1, issued: iso(nowMs), expires: iso(nowMs + 7 * dayMs), policy: policyOf(), ...over }
  return signPolicy(document, signers)
}

test('a policy that the keys of the root signed is taken, and what is to be remembered is given back', () => {
  const verified = verifyPolicy({ policy: policy({ version: 4 }) }, memory, nowMs)
  assert.deepEqual(verified.policy, policyOf())
  assert.deepEqual(verified.memory, { root, lastVersion: 4, lastSeenMs: nowMs })
  assert.equal(verified.expiresMs, nowMs + 7 * dayMs)
  assert.deepEqual(
    verifyPolicy({ policy: policy({ version: 4 }) }, JSON.parse(JSON.stringify(verified.memory)), nowMs).version,
    4,
  )
})

test('an older policy is refused, however good its signature', () => {
  const { memory: later } = verifyPolicy({ policy: policy({ version: 5 }) }, memory, nowMs)
  assert.throws(() => verifyPolicy({ policy: policy({ version: 4 }) }, later, nowMs), {
    code: 'TRUST_POLICY_ROLLED_BACK',
    message: 'the policy has version 4, but version 5 was seen before',
  })
})

test('a policy runs out, so that nobody can hide the next one for longer', () => {
  const frozen = { policy: policy() }
  assert.ok(verifyPolicy(frozen, memory, nowMs + 7 * dayMs - 1))
  assert.throws(() => verifyPolicy(frozen, memory, nowMs + 7 * dayMs), { code: 'TRUST_POLICY_EXPIRED' })
})

test('a root runs out too', () => {
  const old = { ...root, expires: iso(nowMs) }
  assert.throws(() => verifyPolicy({ policy: policy() }, { ...memory, root: old }, nowMs), {
    code: 'TRUST_POLICY_EXPIRED',
    message: `root 1 ran out at ${iso(nowMs)}`,
  })
})

test('a clock that is set back revives nothing', () => {
  const frozen = { policy: policy() }
  const { memory: later } = verifyPolicy(
    { policy: policy({ version: 1, issued: iso(nowMs + 7 * dayMs), expires: iso(nowMs + 9 * dayMs) }) },
    memory,
    nowMs,
  )
  assert.throws(() => verifyPolicy(frozen, later, nowMs - 365 * dayMs), { code: 'TRUST_POLICY_EXPIRED' })
  const inconsistent = { policy: policy({ issued: iso(nowMs + 7 * dayMs) }) }
  assert.throws(() => verifyPolicy(inconsistent, memory, 0), { code: 'TRUST_POLICY_EXPIRED' }, 'its own time counts as well')
})

test('only the keys that the root names for policies sign policies, as many as it says', () => {
  const both: PolicyRoot = { ...root, policy: { keys: ['p1', 'p2'], threshold: 2 } }
  const trusted = { ...memory, root: both }
  const code = 'TRUST_POLICY_UNSIGNED'
  assert.ok(verifyPolicy({ policy: policy({}, [keys.p1.privateKey, keys.p2.privateKey]) }, trusted, nowMs))
  assert.throws(() => verifyPolicy({ policy: policy({}, [keys.p1.privateKey, keys.p1.privateKey]) }, trusted, nowMs), { code })
  assert.throws(() => verifyPolicy({ policy: policy({}, [keys.r1.privateKey]) }, memory, nowMs), { code }, 'a key of roots')
  assert.throws(() => verifyPolicy({ policy: policy({}, [attacker.a1.privateKey]) }, memory, nowMs), { code })
  assert.throws(() => verifyPolicy({ policy: policy({}, [acme.privateKey]) }, memory, nowMs), { code }, 'a key of a publisher')
})

const second: PolicyRoot = { ...root, version: 2, root: { keys: ['r2', 'r3'], threshold: 2 } }
const third: PolicyRoot = { ...second, version: 3, policy: { keys: ['p2'], threshold: 1 } }
const signedSecond = signRoot(second, [keys.r1.privateKey, keys.r2.privateKey, keys.r3.privateKey])
const signedThird = signRoot(third, [keys.r2.privateKey, keys.r3.privateKey])
const newPolicy = policy({}, [keys.p2.privateKey])

test('a root that its predecessor and itself signed takes over, one after the other', () => {
  const all = { roots: [signRoot(root, rootSigners), signedSecond, signedThird], policy: newPolicy }
  const verified = verifyPolicy(all, memory, nowMs)
  assert.equal(verified.memory.root.version, 3)
  assert.throws(
    () => verifyPolicy({ policy: policy() }, verified.memory, nowMs),
    { code: 'TRUST_POLICY_UNSIGNED' },
    'the old key',
  )
  assert.ok(verifyPolicy(all, verified.memory, nowMs), 'served again')
})

test('a root that is missing in between stops the walk', () => {
  assert.throws(() => verifyPolicy({ roots: [signedThird], policy: newPolicy }, memory, nowMs), {
    code: 'TRUST_ROOT_MISSING',
    message: 'root 2 is missing: 1 is known and 3 comes next',
  })
})

test('a root that only an attacker signed, or only its predecessor, or only itself, is refused', () => {
  const code = 'TRUST_POLICY_UNSIGNED'
  const own: PolicyRoot = {
    ...root,
    version: 2,
    keys: pem(attacker),
    root: { keys: ['a1', 'a2'], threshold: 2 },
    policy: { keys: ['a1'], threshold: 1 },
  }
  const evil = [attacker.a1.privateKey, attacker.a2.privateKey]
  const served = (envelope: EnvelopeJson): unknown => ({ roots: [envelope], policy: policy({}, [attacker.a1.privateKey]) })
  for (const signers of [evil, [...evil, keys.r1.privateKey], rootSigners, [...rootSigners, attacker.a1.privateKey]]) {
    assert.throws(() => verifyPolicy(served(signRoot(own, signers)), memory, nowMs), { code })
  }
  const lonely = signRoot(second, [keys.r2.privateKey, keys.r2.privateKey])
  assert.throws(() => verifyPolicy({ roots: [lonely], policy: policy() }, memory, nowMs), { code }, 'one key twice')
  assert.ok(
    verifyPolicy(served(signRoot(own, [...evil, ...rootSigners])), memory, nowMs),
    'who holds both thresholds is the root',
  )
})

test('a root with the same version as the known one changes nothing', () => {
  const own: PolicyRoot = {
    ...root,
    keys: pem(attacker),
    root: { keys: ['a1'], threshold: 1 },
    policy: { keys: ['a1'], threshold: 1 },
  }
  const served = { roots: [signRoot(own, [attacker.a1.privateKey])], policy: policy({}, [attacker.a1.privateKey]) }
  assert.throws(() => verifyPolicy(served, memory, nowMs), { code: 'TRUST_POLICY_UNSIGNED' })
})

test('a thief of policy keys who used up all versions and times is forgotten with these keys, and only then', () => {
  const stolen = policy({
    version: Number.MAX_SAFE_INTEGER,
    issued: iso(nowMs + 10 * 365 * dayMs),
    expires: iso(nowMs + 11 * 365 * dayMs),
  })
  const { memory: poisoned } = verifyPolicy(
    { policy: stolen },
    { ...memory, root: { ...root, expires: iso(nowMs + 20 * 365 * dayMs) } },
    nowMs,
  )
  const kept = { roots: [signedSecond], policy: policy({ version: 2 }) }
  assert.throws(() => verifyPolicy(kept, poisoned, nowMs), { code: 'TRUST_POLICY_ROLLED_BACK' })
  const rotated = verifyPolicy({ roots: [signedSecond, signedThird], policy: newPolicy }, poisoned, nowMs)
  assert.deepEqual([rotated.version, rotated.memory.lastSeenMs], [1, nowMs])
})

test('one key under two names is one key', () => {
  const doubled = { ...root, keys: { ...root.keys, r1again: keys.r1.publicKey }, root: { keys: ['r1', 'r1again'], threshold: 2 } }
  assert.throws(() => signRoot(doubled, rootSigners), {
    code: 'TRUST_POLICY_INVALID',
    message: /root\.threshold: is 2 of 1 keys/,
  })
  assert.throws(() => verifyPolicy({ policy: policy() }, { ...memory, root: doubled }, nowMs), { code: 'TRUST_POLICY_INVALID' })
})

test('neither a root passes for a policy nor a policy for a root, and what is neither is refused', () => {
  const code = 'TRUST_POLICY_INVALID'
  const everything = { ...memory, root: { ...root, policy: root.root } }
  assert.throws(() => verifyPolicy({ policy: signRoot(root, rootSigners) }, everything, nowMs), { code })
  assert.throws(() => verifyPolicy({ roots: [policy({}, rootSigners)], policy: policy() }, memory, nowMs), { code })
  assert.throws(() => verifyPolicy(null, memory, nowMs), { code })
  assert.throws(() => verifyPolicy({ roots: 7, policy: policy() }, memory, nowMs), { code })
  assert.throws(() => verifyPolicy({}, memory, nowMs), { code: 'TRUST_ENVELOPE_INVALID' })
  const many = Array.from({ length: defaultTrustLimits.roots + 1 }, () => signedSecond)
  assert.throws(() => verifyPolicy({ roots: many, policy: policy() }, memory, nowMs), { code, message: /at most 256/ })
})

test('a root or a policy that nobody could use is not signed', () => {
  const code = 'TRUST_POLICY_INVALID'
  assert.throws(() => signRoot({ ...root, root: { keys: ['r9'], threshold: 1 } }, rootSigners), {
    code,
    message: /r9 is not under keys/,
  })
  assert.throws(() => signRoot({ ...root, version: 0 }, rootSigners), { code })
  assert.throws(() => signRoot({ ...root, expires: 'next year' }, rootSigners), { code, message: /no time in UTC/ })
  assert.throws(() => policy({ policy: { deny: ['Nobody'] } }), { code, message: /deny\[0\]/ })
})

test('a root with something that is no key is refused', () => {
  const keyless = { ...root, keys: { ...root.keys, p1: 'no key' } }
  assert.throws(() => verifyPolicy({ policy: policy() }, { ...memory, root: keyless }, nowMs), { code: 'TRUST_KEY_INVALID' })
})

test('whatever is served, with one character of it changed too, is the signed policy or a coded error', () => {
  const served = JSON.stringify({ roots: [signedSecond, signedThird], policy: newPolicy })
  const attempt = (value: unknown): unknown => {
    try {
      return verifyPolicy(value, memory, nowMs).policy
    } catch (error) {
      assert.ok(error instanceof PlatformError && error.code.startsWith('TRUST_'))
      return undefined
    }
  }
  fc.assert(
    fc.property(fc.nat(served.length - 1), fc.integer({ min: 32, max: 126 }), (index, code) => {
      let value: unknown
      try {
        value = JSON.parse(served.slice(0, index) + String.fromCodePoint(code) + served.slice(index + 1))
      } catch {
        return
      }
      const taken = attempt(value)
      if (taken !== undefined) assert.deepEqual(taken, policyOf())
    }),
    { numRuns: 400 },
  )
  fc.assert(
    fc.property(fc.anything(), (value) => attempt(value) === undefined),
    { numRuns: 400 },
  )
  fc.assert(
    fc.property(fc.anything(), (policyValue) => attempt({ policy: policyValue }) === undefined),
    { numRuns: 400 },
  )
})

import { parseStrictJson } from '@backplane/sdk/strict-json'
import { z } from 'zod'
import { isRecord, parseEnvelope, signEnvelope, type Envelope, type EnvelopeJson } from './envelope.ts'
import { trustErrors } from './errors.ts'
import { keyId } from './key.ts'
import type { TrustPolicy } from './policy.ts'
import { readPolicy } from './read-policy.ts'
import { countSigners } from './signed-json.ts'
import { instantOf } from './statement.ts'
import { defaultTrustLimits, type TrustLimits } from './trust-limits.ts'

const rootPayloadType = 'application/vnd.backplane.root.v1+json'
const policyPayloadType = 'application/vnd.backplane.policy.v1+json'

/** Who may sign what, shaped like the root of TUF. The first one is installed by hand; later ones are signed by it and themselves. */
export interface PolicyRoot {
  /** From 1; each root is one more than the one before. */
  readonly version: number
  /** UTC, as `Date.toISOString` writes it; bounds how long somebody can hide the next root. */
  readonly expires: string
  /** PEM by a name that the roles refer to. */
  readonly keys: Readonly<Record<string, string>>
  /** Sign the next root: kept offline, at least two. */
  readonly root: PolicyRole
  /** Sign policies. */
  readonly policy: PolicyRole
}

/** So many of these keys must sign. */
export interface PolicyRole {
  readonly keys: readonly string[]
  readonly threshold: number
}

/** One version of a policy, as it is signed. */
export interface PolicyDocument {
  /** From 1; grows with each change. */
  readonly version: number
  /** When it was signed, UTC. */
  readonly issued: string
  /** UTC; bounds how long somebody can hide the next one, such as one that revokes a key. */
  readonly expires: string
  readonly policy: TrustPolicy
}

/** What is served: the policy, and every root since the first. */
export interface SignedPolicy {
  readonly roots?: readonly EnvelopeJson[]
  readonly policy: EnvelopeJson
}

/** What a host remembers from one policy to the next; losing it loses the protection from older ones. JSON. */
export interface PolicyMemory {
  readonly root: PolicyRoot
  /** 0 before the first. */
  readonly lastVersion: number
  /** The latest signed time that was seen, ms since the epoch; 0 before the first. */
  readonly lastSeenMs: number
}

/** A policy that was signed by who may sign it, and is the newest that was seen. */
export interface VerifiedPolicy {
  readonly policy: TrustPolicy
  readonly version: number
  readonly expiresMs: number
  /** To keep, before the policy is used. Its `lastSeenMs` is also the least time to give to a verdict. */
  readonly memory: PolicyMemory
}

const Instant = z.string().refine((text) => instantOf(text) !== undefined, 'is no time in UTC')
const Version = z.number().int().min(1)
const Role = z.strictObject({ keys: z.array(z.string()).min(1).max(64), threshold: z.number().int().min(1) })
const Root = z.strictObject({
  version: Version,
  expires: Instant,
  keys: z.record(z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]*$/), z.string()),
  root: Role,
  policy: Role,
})
const Document = z.strictObject({ version: Version, issued: Instant, expires: Instant, policy: z.unknown() })

/** Signs a root with keys of itself and, after the first, of the one before (PEM, PKCS #8). Errors: `TRUST_POLICY_INVALID`, `TRUST_KEY_INVALID`. */
export function signRoot(root: PolicyRoot, privateKeys: readonly string[]): EnvelopeJson {
  return signEnvelope(rootPayloadType, readRoot(root), privateKeys)
}

/** Signs one version of a policy. Errors: `TRUST_POLICY_INVALID`, `TRUST_KEY_INVALID`. */
export function signPolicy(document: PolicyDocument, privateKeys: readonly string[]): EnvelopeJson {
  return signEnvelope(policyPayloadType, readDocument(document), privateKeys)
}

/**
 * Takes a policy only if it is signed by whom the root names, is not older than the last one and has not run out. Roots are
 * followed one by one, each signed by its predecessor's threshold and its own, so that who only ever had old keys, or only has
 * new ones, gets nowhere. Time is the later of `nowMs` and every signed time seen, so that a clock set back revives nothing.
 *
 * The same version again is taken: it is read at every start. Nothing is taken in part: on an error, go on with the policy
 * you have and keep `memory` as it was. Errors: `TRUST_POLICY_INVALID`, `TRUST_POLICY_UNSIGNED`, `TRUST_POLICY_EXPIRED`,
 * `TRUST_POLICY_ROLLED_BACK`, `TRUST_ROOT_MISSING`, `TRUST_ENVELOPE_INVALID`, `TRUST_KEY_INVALID`. Source: TUF 1.0 §5.3, §5.4.
 */
export function verifyPolicy(
  signed: unknown,
  memory: PolicyMemory,
  nowMs: number,
  limits: TrustLimits = defaultTrustLimits,
): VerifiedPolicy {
  if (!isRecord(signed)) throw invalid('the policy', 'is no object')
  const known = readRoot(memory.root)
  const root = newestRoot(signed['roots'], known, limits)
  const { lastVersion, lastSeenMs: seenMs } = couldStillSign(known, root) ? memory : { lastVersion: 0, lastSeenMs: 0 }
  const envelope = parseEnvelope(signed['policy'], limits)
  requireSignatures('the policy', envelope, root, root.policy)
  const document = readDocument(contents('the policy', envelope, policyPayloadType))
  const { version, issued, expires } = document
  if (version < lastVersion) {
    throw trustErrors.error('TRUST_POLICY_ROLLED_BACK', { document: 'the policy', version, known: lastVersion })
  }
  const lastSeenMs = Math.max(seenMs, msOf(issued))
  requireUnexpired('the policy', expires, Math.max(nowMs, lastSeenMs))
  requireUnexpired(`root ${root.version}`, root.expires, Math.max(nowMs, lastSeenMs))
  return { policy: document.policy, version, expiresMs: msOf(expires), memory: { root, lastVersion: version, lastSeenMs } }
}

function newestRoot(roots: unknown, known: PolicyRoot, limits: TrustLimits): PolicyRoot {
  if (roots === undefined) return known
  if (!Array.isArray(roots)) throw invalid('roots', 'is no list')
  if (roots.length > limits.roots) throw invalid('roots', `has ${roots.length} entries; at most ${limits.roots} are read`)
  let current = known
  for (const each of roots as readonly unknown[]) {
    const envelope = parseEnvelope(each, limits)
    const next = readRoot(contents('a root', envelope, rootPayloadType))
    if (next.version <= current.version) continue
    if (next.version > current.version + 1) {
      throw trustErrors.error('TRUST_ROOT_MISSING', { version: current.version + 1, known: current.version, next: next.version })
    }
    requireSignatures(`root ${next.version}`, envelope, current, current.root)
    requireSignatures(`root ${next.version}`, envelope, next, next.root)
    current = next
  }
  return current
}

/**
 * Whether policies of before could meet the new root's threshold. Where they could not, what they said of versions and times is
 * forgotten: whoever stole their keys may have used up all numbers. Source: TUF 1.0 §5.3.11.
 */
function couldStillSign(known: PolicyRoot, root: PolicyRoot): boolean {
  const before = policyKeyIds(known)
  return [...policyKeyIds(root)].filter((id) => before.has(id)).length >= root.policy.threshold
}

function policyKeyIds({ keys, policy }: PolicyRoot): Set<string> {
  return new Set(policy.keys.map((name) => keyId(keys[name] ?? '')))
}

/** Counts keys, not signatures: one key under two names is one. */
function requireSignatures(
  document: string,
  envelope: Envelope,
  { keys }: PolicyRoot,
  { keys: names, threshold }: PolicyRole,
): void {
  const role = names.map((name) => keys[name] ?? '')
  const count = countSigners(envelope, role)
  if (count < threshold) throw trustErrors.error('TRUST_POLICY_UNSIGNED', { document, count, threshold })
}

function requireUnexpired(document: string, expires: string, atMs: number): void {
  if (!(msOf(expires) > atMs)) throw trustErrors.error('TRUST_POLICY_EXPIRED', { document, expires })
}

function contents(document: string, { payloadType, payload }: Envelope, wanted: string): unknown {
  if (payloadType !== wanted) throw invalid(document, `its payload is not ${wanted}`)
  const parsed = parseStrictJson(Buffer.from(payload).toString('utf8'), 64)
  if (parsed.kind !== 'value') throw invalid(document, 'is not JSON that has one meaning')
  return parsed.value
}

function readRoot(value: unknown): PolicyRoot {
  const root = shaped('the root', Root, value)
  for (const role of ['root', 'policy'] as const) {
    const { keys, threshold } = root[role]
    const ids = keys.map((name) => {
      const pem = Object.hasOwn(root.keys, name) ? root.keys[name] : undefined
      if (pem === undefined) throw invalid(`the root: ${role}.keys`, `${name} is not under keys`)
      return keyId(pem)
    })
    if (new Set(ids).size < threshold)
      throw invalid(`the root: ${role}.threshold`, `is ${threshold} of ${new Set(ids).size} keys`)
  }
  return root
}

function readDocument(value: unknown): PolicyDocument {
  const { policy, ...rest } = shaped('the policy', Document, value)
  return { ...rest, policy: readPolicy(policy) }
}

function shaped<T>(document: string, schema: z.ZodType<T>, value: unknown): T {
  const parsed = schema.safeParse(value)
  if (parsed.success) return parsed.data
  const [issue] = parsed.error.issues
  throw invalid(`${document}: ${(issue?.path ?? []).join('.')}`, issue?.message ?? 'is not valid')
}

function msOf(instant: string): number {
  return instantOf(instant) ?? Number.NaN
}

function invalid(path: string, reason: string): Error {
  return trustErrors.error('TRUST_POLICY_INVALID', { path, reason })
}

import { didYouMean } from '@backplane/sdk'
import Range from 'semver/classes/range.js'
import { z } from 'zod'
import { trustErrors } from './errors.ts'
import { keyId } from './key.ts'
import type { TrustPolicy } from './policy.ts'
import { trustMaterial } from './sigstore.ts'

const id = '[a-z0-9][a-z0-9-]*\\/[a-z0-9][a-z0-9-]*'
const Reason = z.string().min(1, 'say why').max(1000)
const Name = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]*$/, 'is no name: letters, digits, dots and dashes')
const Id = z.string().regex(new RegExp(`^${id}$`), 'is no id of the form publisher/name')
const Reference = z
  .string()
  .regex(
    new RegExp(`^(?:\\*|${id}|[a-z0-9][a-z0-9-]*(?:\\/\\*)?)$`),
    'is no id, no name and no publisher/*: it would mean no plugin',
  )
const Digest = z
  .string()
  .regex(/^sha(?:256:[0-9a-f]{64}|512:[0-9a-f]{128})$/, 'is no digest: sha256: and 64 small hexadecimal digits')
const Instant = z.number().int()
const Count = z.number().int().min(0)
const Issuer = z.string().min(1)
const Identity = z
  .string()
  .min(1)
  .regex(/^[^*]+$|^[^*]+[/@]\*$/, 'may hold * only at its end, after / or @: a shorter beginning is also that of strangers')

const Key = z.strictObject({
  publicKey: z.string().refine(isKey, 'is no Ed25519 public key in PEM'),
  notBeforeMs: Instant.exactOptional(),
  notAfterMs: Instant.exactOptional(),
  revoked: Reason.exactOptional(),
})

const Signer = z.union([z.strictObject({ key: Name }), z.strictObject({ issuer: Issuer, identity: Identity })], {
  error: 'is neither {key} nor {issuer, identity}',
})

const PublisherShape = z.strictObject({
  name: z.string().min(1),
  ids: z.string().regex(new RegExp(`^(?:\\*|${id}|[a-z0-9][a-z0-9-]*\\/\\*)$`), 'is neither publisher/*, an id nor *'),
  threshold: z.number().int().min(1).exactOptional(),
  signers: z.array(Signer).min(1, 'nobody could sign').max(64),
})

const Sigstore = z.strictObject({
  trustedRoot: z.unknown(),
  transparencyLogs: Count.exactOptional(),
  certificateLogs: Count.exactOptional(),
  timestamps: z.number().int().min(1, 'must be 1 or more: certificates last minutes').exactOptional(),
})

const Advisory = z.strictObject({
  id: z.string().min(1),
  plugin: Reference,
  versions: z.string().refine(isRange, 'is no SemVer range'),
  summary: z.string().min(1),
  action: z.enum(['warn', 'disable']),
  url: z.string().exactOptional(),
})

const ModuleAdvisory = Advisory.omit({ plugin: true }).extend({
  module: z
    .string()
    .max(214)
    .regex(/^(?:@[a-z0-9~-][a-z0-9._~-]*\/)?[A-Za-z0-9~_-][A-Za-z0-9._~-]*$/, 'is no name of a module of npm'),
})

const Policy = z.strictObject({
  keys: z.record(Name, Key).exactOptional(),
  publishers: z.array(PublisherShape).exactOptional(),
  sigstore: Sigstore.exactOptional(),
  allow: z.array(Reference).exactOptional(),
  deny: z.array(Reference).exactOptional(),
  revokedDigests: z.record(Digest, Reason).exactOptional(),
  allowUnsigned: z
    .union([
      z.boolean(),
      z.array(z.string().regex(/^[^*]+$|^[^*]*[^*/:]\/\*$/, 'may hold * only at its end, after a / and the name of a place')),
    ])
    .exactOptional(),
  minimumReleaseAgeMs: z.number().min(0).exactOptional(),
  releaseAgeExceptions: z
    .record(
      z
        .string()
        .regex(
          new RegExp(`^(?:${id}@\\S+|publisher:.+|(?:npm|git|oci|index|archive|directory|bundle):[^*]*[^*/:](?:/\\*)?)$`),
          'is not publisher/name@version, publisher:<name>, nor a source, whole or ending in /*',
        ),
      Reason,
    )
    .exactOptional(),
  advisories: z.array(Advisory).exactOptional(),
  moduleAdvisories: z.array(ModuleAdvisory).exactOptional(),
  refuseFindings: z.enum(['warning', 'danger', 'never']).exactOptional(),
  acceptedFindings: z.record(Id, z.record(z.string().min(1), Reason)).exactOptional(),
})

/**
 * Reads a policy that somebody wrote: parsed JSON or YAML. Strict, because what a policy does not understand it does not
 * enforce: an unknown key, a name that can mean no plugin, a key that nobody holds, or a threshold that nobody can reach is
 * refused. Errors: `TRUST_POLICY_INVALID` with the path of the first problem, and all of them in `details.problems`.
 */
export function readPolicy(value: unknown): TrustPolicy {
  const parsed = Policy.safeParse(value)
  if (!parsed.success) throw invalid(parsed.error.issues.flatMap((issue) => problemsOf(issue)))
  const policy: TrustPolicy = parsed.data
  const problems = [...keyProblems(policy), ...publisherProblems(policy), ...sigstoreProblems(policy)]
  if (problems.length > 0) throw invalid(problems)
  return policy
}

interface Problem {
  readonly path: string
  readonly reason: string
}

function problemsOf(issue: z.core.$ZodIssue): readonly Problem[] {
  const path = pathText(issue.path)
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => ({
      path: pathText([...issue.path, key]),
      reason: `is not known${meant(key, issue.path.length)}`,
    }))
  }
  const inKey = issue.code === 'invalid_key' ? issue.issues[0]?.message : undefined
  return [{ path, reason: inKey ?? issue.message }]
}

/** Only the keys of the policy itself are worth guessing: below, there are few and the reference shows them. */
function meant(key: string, depth: number): string {
  return depth === 0 ? didYouMean(key, Object.keys(Policy.shape)) : ''
}

function keyProblems({ keys = {} }: TrustPolicy): readonly Problem[] {
  const names = new Map<string, string>()
  return Object.entries(keys).flatMap(([name, { publicKey, notBeforeMs = -Infinity, notAfterMs = Infinity }]) => {
    const same = names.get(keyId(publicKey))
    names.set(keyId(publicKey), name)
    if (same !== undefined) return [{ path: `keys.${name}`, reason: `is the same key as ${same}` }]
    return notBeforeMs <= notAfterMs ? [] : [{ path: `keys.${name}.notAfterMs`, reason: 'is before notBeforeMs' }]
  })
}

function publisherProblems({ publishers = [], keys = {} }: TrustPolicy): readonly Problem[] {
  return publishers.flatMap(({ ids, signers, threshold = 1 }, index) => {
    const path = `publishers[${index}]`
    const unknown = signers.flatMap((signer, at) =>
      'key' in signer && !Object.hasOwn(keys, signer.key)
        ? [
            {
              path: `${path}.signers[${at}].key`,
              reason: `${signer.key} is not under keys${didYouMean(signer.key, Object.keys(keys))}`,
            },
          ]
        : [],
    )
    const distinct = new Set(signers.map((signer) => JSON.stringify(signer))).size
    return [
      ...unknown,
      ...(distinct < signers.length ? [{ path: `${path}.signers`, reason: 'names a signer twice' }] : []),
      ...(threshold > distinct ? [{ path: `${path}.threshold`, reason: `is ${threshold} of ${distinct} signers` }] : []),
      ...(publishers.findIndex((each) => each.ids === ids) < index
        ? [{ path: `${path}.ids`, reason: `${ids} has a publisher above` }]
        : []),
    ]
  })
}

function sigstoreProblems({ sigstore, publishers = [] }: TrustPolicy): readonly Problem[] {
  if (sigstore === undefined) {
    const index = publishers.findIndex(({ signers }) => signers.some((signer) => 'issuer' in signer))
    return index === -1 ? [] : [{ path: `publishers[${index}].signers`, reason: 'needs sigstore.trustedRoot' }]
  }
  try {
    trustMaterial(sigstore)
    return []
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    return [{ path: 'sigstore.trustedRoot', reason: `is no trusted root: ${reason}` }]
  }
}

function isKey(pem: string): boolean {
  try {
    return keyId(pem) !== ''
  } catch {
    return false
  }
}

function isRange(text: string): boolean {
  try {
    return text.length <= 256 && new Range(text).range !== undefined
  } catch {
    return false
  }
}

function pathText(path: readonly PropertyKey[]): string {
  const text = path.map((key) => (typeof key === 'number' ? `[${key}]` : `.${String(key)}`)).join('')
  return text === '' ? 'the policy' : text.replace(/^\./, '')
}

function invalid(problems: readonly Problem[]): Error {
  const [first = { path: 'the policy', reason: 'is not valid' }] = problems
  return trustErrors.error('TRUST_POLICY_INVALID', { ...first }, { details: { problems } })
}

import { createRequire } from 'node:module'
import type * as SigstoreBundle from '@sigstore/bundle'
import type * as SigstoreSpecs from '@sigstore/protobuf-specs'
import type * as SigstoreVerify from '@sigstore/verify'
import { isRecord } from './envelope.ts'
import type { SigstorePolicy } from './policy.ts'
import type { TrustLimits } from './trust-limits.ts'

/** Who signed a bundle with a certificate, and what. */
export type BundleReading =
  | {
      readonly kind: 'signed'
      readonly issuer: string
      readonly identity: string
      readonly payloadType: string
      readonly payload: Uint8Array
    }
  | { readonly kind: 'broken'; readonly reason: string }

/** Loaded with the first bundle: most packages have none, and these take longer to load than everything else here. */
const load: NodeJS.Require = createRequire(import.meta.url)
const materials = new WeakMap<object, SigstoreVerify.TrustMaterial>()

/** Whether this looks like a bundle; what is inside may be anything. Source: sigstore protobuf-specs, sigstore_bundle.proto. */
export function isBundle(content: unknown): content is Readonly<Record<string, unknown>> {
  return isRecord(content) && 'verificationMaterial' in content
}

/** Whether a bundle was signed with a plain key; its envelope is then as good as one without a bundle. */
export function hasPlainKey(bundle: Readonly<Record<string, unknown>>): boolean {
  const material = bundle['verificationMaterial']
  return isRecord(material) && material['publicKey'] !== undefined
}

/**
 * Verifies a bundle offline: chain of the certificate at the time of signing, certificate logs, transparency logs, timestamps,
 * signature. The subject of what was signed is not compared with anything; that is left to whoever reads the statement.
 */
export function readBundle(
  content: Readonly<Record<string, unknown>>,
  policy: SigstorePolicy,
  limits: TrustLimits,
): BundleReading {
  const oversize = tooMuch(content, limits)
  if (oversize !== undefined) return { kind: 'broken', reason: oversize }
  try {
    const { bundleFromJSON } = load('@sigstore/bundle') as typeof SigstoreBundle
    const { Verifier, toSignedEntity } = load('@sigstore/verify') as typeof SigstoreVerify
    const bundle = bundleFromJSON(content)
    if (bundle.content.$case !== 'dsseEnvelope') {
      return { kind: 'broken', reason: 'it signs a file and not a statement about the package' }
    }
    const verifier = new Verifier(trustMaterial(policy), {
      tlogThreshold: atLeast(0, policy.transparencyLogs),
      ctlogThreshold: atLeast(0, policy.certificateLogs),
      timestampThreshold: atLeast(1, policy.timestamps),
    })
    const { identity } = verifier.verify(toSignedEntity(bundle))
    const issuer = identity?.extensions?.issuer
    const name = identity?.subjectAlternativeName
    if (issuer === undefined || name === undefined) return { kind: 'broken', reason: 'its certificate names nobody' }
    const { payload, payloadType } = bundle.content.dsseEnvelope
    return { kind: 'signed', issuer, identity: name, payloadType, payload }
  } catch (error) {
    return { kind: 'broken', reason: reasonOf(error) }
  }
}

/** A threshold; one that is none cannot be met. */
function atLeast(least: number, threshold: number = 1): number {
  return Number.isInteger(threshold) && threshold >= least ? threshold : Infinity
}

/** Reads a trusted root; throws what the library throws when it is none. */
export function trustMaterial(policy: SigstorePolicy): SigstoreVerify.TrustMaterial {
  const known = materials.get(policy)
  if (known !== undefined) return known
  const { TrustedRoot } = load('@sigstore/protobuf-specs') as typeof SigstoreSpecs
  const { toTrustMaterial } = load('@sigstore/verify') as typeof SigstoreVerify
  const material = toTrustMaterial(TrustedRoot.fromJSON(policy.trustedRoot))
  if (material.certificateAuthorities.length === 0) throw new Error('it names no certificate authority')
  materials.set(policy, material)
  return material
}

/** The library verifies every entry it is given, and compares each with each. */
function tooMuch(content: Readonly<Record<string, unknown>>, limits: TrustLimits): string | undefined {
  const { verificationMaterial: material, dsseEnvelope: envelope } = content
  if (!isRecord(material)) return 'its verificationMaterial is no object'
  const stamps = material['timestampVerificationData']
  const chain = material['x509CertificateChain']
  const lists = [
    material['tlogEntries'],
    isRecord(stamps) ? stamps['rfc3161Timestamps'] : undefined,
    isRecord(chain) ? chain['certificates'] : undefined,
  ]
  for (const list of lists) {
    if (Array.isArray(list) && list.length > limits.logEntries)
      return `it has ${list.length} entries where at most ${limits.logEntries} are read`
  }
  if (isRecord(envelope)) {
    const { payload, signatures } = envelope
    if (typeof payload === 'string' && payload.length > Math.ceil(limits.payloadBytes / 3) * 4) {
      return `its payload is longer than ${limits.payloadBytes} bytes`
    }
    if (Array.isArray(signatures) && signatures.length !== 1)
      return `it has ${signatures.length} signatures where a bundle has one`
  }
  return undefined
}

function reasonOf(error: unknown): string {
  const { message, cause } = error instanceof Error ? error : new Error(String(error))
  const why = cause instanceof Error ? ` (${cause.message})` : ''
  return `it does not hold: ${message}${why}`.slice(0, 300)
}

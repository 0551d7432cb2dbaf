/** How much of what strangers wrote is looked at in one verdict, or with one policy. */
export interface TrustLimits {
  /** Attestations of one package; those beyond are not read. Default 32. */
  readonly attestations: number
  /** Signatures of one envelope; one with more counts for nothing. Default 16. */
  readonly signatures: number
  /** Payload of one envelope, bytes. Default 1 MiB. */
  readonly payloadBytes: number
  /** Transparency log entries, and timestamps, of one sigstore bundle. Default 8 of each. */
  readonly logEntries: number
  /** Signatures that are tried with keys; each takes about 0.1 ms. Default 256. */
  readonly verifications: number
  /** How far ahead of our clock a signing time may lie, ms. Default 5 min. */
  readonly clockSkewMs: number
  /** Roots that come with one signed policy. Default 256. */
  readonly roots: number
}

/** The defaults that {@link TrustLimits} names. */
export const defaultTrustLimits: TrustLimits = {
  attestations: 32,
  signatures: 16,
  payloadBytes: 1024 * 1024,
  logEntries: 8,
  verifications: 256,
  clockSkewMs: 5 * 60_000,
  roots: 256,
}

import { defineErrors, type ErrorCatalogue } from '@backplane/sdk'

const specs = {
  TRUST_KEY_INVALID: {
    message: 'this is no {kind} Ed25519 key in PEM: {reason}',
    status: 422,
    exit: 65,
    retryable: false,
    hint: 'Give a key as `generateKey` makes it: PKCS #8 for a private key, SubjectPublicKeyInfo for a public one.',
  },
  TRUST_ENVELOPE_INVALID: {
    message: 'this is no DSSE envelope: {reason}',
    status: 422,
    exit: 65,
    retryable: false,
    hint: 'Sign it again; do not edit what was signed.',
  },
  TRUST_STATEMENT_INVALID: {
    message: 'this cannot be signed: {reason}',
    status: 422,
    exit: 65,
    retryable: false,
    hint: 'Give the id, version and digests of the package as they were computed from its bytes.',
  },
  TRUST_POLICY_INVALID: {
    message: 'the trust policy is not valid: {path}: {reason}',
    status: 422,
    exit: 78,
    retryable: false,
    hint: 'Correct {path} in the trust policy.',
  },
  TRUST_POLICY_UNSIGNED: {
    message: '{document}: {count} of {threshold} signatures count',
    status: 403,
    exit: 77,
    retryable: false,
    hint: 'Let {threshold} of the keys that the root names sign {document}.',
  },
  TRUST_POLICY_EXPIRED: {
    message: '{document} ran out at {expires}',
    status: 403,
    exit: 77,
    retryable: false,
    hint: 'Fetch the newest policy; when that is the newest, let its keys sign a new version.',
  },
  TRUST_POLICY_ROLLED_BACK: {
    message: '{document} has version {version}, but version {known} was seen before',
    status: 403,
    exit: 77,
    retryable: false,
    hint: 'Fetch the newest policy from a place you trust; whoever served this one is behind or lying.',
  },
  TRUST_ROOT_MISSING: {
    message: 'root {version} is missing: {known} is known and {next} comes next',
    status: 403,
    exit: 77,
    retryable: false,
    hint: 'Serve every root since {known} with the policy, or install the newest root by hand.',
  },
}

/** Codes of {@link trustErrors}. */
export type TrustErrorCode = keyof typeof specs

/** What can go wrong with keys, envelopes and policies. A package that may not run is no error but a verdict. */
export const trustErrors: ErrorCatalogue<TrustErrorCode> = defineErrors('TRUST', specs)

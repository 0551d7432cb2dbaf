export type { EnvelopeJson } from './envelope.ts'
export { trustErrors, type TrustErrorCode } from './errors.ts'
export { judge } from './judge.ts'
export { generateKey, keyId, type KeyPair } from './key.ts'
export type { Advisory, ModuleAdvisory, Publisher, Signer, SigstorePolicy, TrustedKey, TrustPolicy } from './policy.ts'
export { readPolicy } from './read-policy.ts'
export { signPackage, type PackageToSign } from './sign-package.ts'
export { openJson, signJson, type OpenedJson } from './signed-json.ts'
export {
  signPolicy,
  signRoot,
  verifyPolicy,
  type PolicyDocument,
  type PolicyMemory,
  type PolicyRole,
  type PolicyRoot,
  type SignedPolicy,
  type VerifiedPolicy,
} from './signed-policy.ts'
export { packagePredicateType, statementPayloadType } from './statement.ts'
export type { Attestation, BundledModule, Finding, LockedDigests, Subject } from './subject.ts'
export { defaultTrustLimits, type TrustLimits } from './trust-limits.ts'
export type { RuleName, RuleResult, Verdict } from './verdict.ts'
export { defaultScanLimits, type ScanLimits } from './scan/scan-limits.ts'
export { commandScanner, type ScannerCommand } from './scan/command-scanner.ts'
export { pluginScanner, type ScannerPlugin } from './scan/plugin-scanner.ts'
export { scanRevision, scanTree, type ScannedFile } from './scan/scan-tree.ts'
export { defaultAsideLimits, scanAside, type AsideLimits } from './scan/scan-aside.ts'

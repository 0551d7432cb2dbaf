import { acceptManifest, checkPackage } from '@backplane/kernel/check'
import type { PermissionVocabulary } from '@backplane/sdk'
import { judge, readPolicy, scanTree, type TrustPolicy } from '@backplane/trust'
import { backplaneErrors } from '../errors.ts'
import type { Verdict } from '../host-answers.ts'
import { readJson } from './file-text.ts'
import { readPackage, type LocalPackage } from './read-package.ts'

/** A package that lies here, and whether it may run. */
export interface JudgedPackage extends LocalPackage {
  readonly verdict: Verdict
}

/**
 * Judges a folder or an archive as a host with this policy would, after its manifest. Errors: `BACKPLANE_FILE_UNREADABLE`,
 * `BACKPLANE_FILE_INVALID`, those of packages and manifests.
 */
export async function judgePackage(path: string, policy: TrustPolicy): Promise<JudgedPackage> {
  const read = await readPackage(path)
  const { id, version, source, fetched } = read
  const { tree, archive, attestations, manifest } = fetched
  const accepted = acceptManifest(manifest, `${path}: plugin.json`, perhapsOfHosts(manifest))
  await checkPackage(accepted, new Set(tree.files.map((file) => file.path)))
  const subject = {
    id,
    version,
    origin: 'external',
    source,
    digest: tree.digest,
    attestations,
    findings: scanTree(tree.files),
    ...(archive === undefined ? {} : { archive }),
  } as const
  const { ok, trust, publisher = null, rules } = judge(subject, policy, Date.now())
  const shown = rules.map(({ rule, outcome, reason, file = null, fix = null }) => ({ rule, outcome, reason, file, fix }))
  return { ...read, verdict: { ok, trust, publisher, rules: shown } }
}

/** Which permissions of its own a host has is known to it alone: of the right form, any may be one. */
function perhapsOfHosts(manifest: unknown): PermissionVocabulary {
  const asked: unknown = Reflect.get(Object(manifest), 'permissions')
  const names = (Array.isArray(asked) ? asked : []).filter(
    (one): one is string => typeof one === 'string' && /^(?!(?:fs|exec|net):)[a-z]+:[a-z][a-z-]*$/.test(one),
  )
  return Object.fromEntries(names.map((name) => [name, { sentence: name, risk: 'high', reason: '' } as const]))
}

/** Errors: `BACKPLANE_FILE_UNREADABLE`, `BACKPLANE_FILE_INVALID`, those of the policy. */
export async function readPolicyFile(path: string): Promise<TrustPolicy> {
  const hint = 'Correct it; docs/guide/trust.md shows what a policy holds.'
  const value = await readJson(path, hint)
  try {
    return readPolicy(value)
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw backplaneErrors.error('BACKPLANE_FILE_INVALID', { path, reason, hint }, { cause: error })
  }
}

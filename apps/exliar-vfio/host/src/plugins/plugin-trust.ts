import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Admission, AdmissionRequest, Store } from '@backplane/kernel'
import { parseStrictJson } from '@backplane/sdk/strict-json'
import { createAdmission, filesBelow, GrantsFile, PackageScans } from '@backplane/sources'
import { judge, readPolicy, type Finding, type TrustPolicy } from '@backplane/trust'
import type { ExliarConfig } from '../config/exliar-config.ts'
import { exliarErrors } from '../errors.ts'

/** What decides which plugins may run, with which permissions. */
export interface ExliarTrust {
  readonly admission: Admission
  /** What was approved. */
  readonly grants: GrantsFile
}

/** What trust is made of. */
export interface ExliarTrustParts {
  readonly stateDirectory: string
  readonly directories: readonly string[]
  /** Keeps what the scanner found in which bytes. */
  readonly store: Store
}

const depthLimit = 32

/** Reads policy and approvals. Errors: `SETTINGS_TRUST_POLICY`, `GRANTS_INVALID`. */
export async function exliarTrust(
  config: ExliarConfig,
  { stateDirectory, directories, store }: ExliarTrustParts,
): Promise<ExliarTrust> {
  const { trust_policy: path, development, scan } = config.plugins
  const written = path === undefined ? {} : await policyIn(path)
  const policy = development ? withFolders(written, directories) : written
  const grants = new GrantsFile(join(stateDirectory, 'grants.json'))
  await grants.load()
  const scans = scan ? await PackageScans.open({ store, namespace: 'exliar:scans', scanners: [] }) : undefined
  const scanned = async (
    { staged, manifest }: AdmissionRequest,
    signal: AbortSignal,
  ): Promise<readonly Finding[] | undefined> => {
    const { code, digest } = staged
    if (development || code.kind !== 'files') return undefined
    return scans?.of({ ...manifest, digest }, () => filesBelow(code.directory), signal)
  }
  const admission = createAdmission({
    scan: scanned,
    judge: (subject) => judge(subject, policy, Date.now()),
    grants,
    approvesDeclared: () => development,
  })
  return { admission, grants }
}

function withFolders(policy: TrustPolicy, directories: readonly string[]): TrustPolicy {
  const { allowUnsigned = false } = policy
  if (allowUnsigned === true) return policy
  const folders = directories.map((directory) => `directory:${join(directory, '*')}`)
  return { ...policy, allowUnsigned: [...(allowUnsigned === false ? [] : allowUnsigned), ...folders] }
}

async function policyIn(path: string): Promise<TrustPolicy> {
  const refuse = (reason: string, cause?: unknown): Error =>
    exliarErrors.error('SETTINGS_TRUST_POLICY', { path, reason }, cause === undefined ? {} : { cause })
  try {
    const parsed = parseStrictJson(await readFile(path, 'utf8'), depthLimit)
    if (parsed.kind !== 'value') throw refuse(`it is no plain JSON: ${parsed.kind}`)
    return readPolicy(parsed.value)
  } catch (error) {
    throw refuse(error instanceof Error ? error.message : String(error), error)
  }
}

import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Admission } from '@backplane/kernel'
import { parseStrictJson } from '@backplane/sdk/strict-json'
import { createAdmission, GrantsFile, installed, type InstalledSource } from '@backplane/sources'
import { judge, readPolicy, type Subject, type TrustPolicy, type Verdict } from '@backplane/trust'
import type { HostConfig } from '../config/host-config.ts'
import { hypersdkErrors } from '../errors.ts'
import type { HostLog } from './host-log.ts'

/** What decides which plugins may run, with which permissions. */
export interface PluginTrust {
  readonly admission: Admission
  readonly installed: InstalledSource
  /** What was approved for plugins in folders. */
  readonly grants: GrantsFile
  /** The verdict by the policy there is now. */
  readonly judge: (subject: Subject) => Verdict
  /** What packages are judged by now. */
  readonly policy: () => TrustPolicy
  /** The last verdict on any package of a plugin, asked for at a start or an install. */
  readonly lastVerdict: (id: string) => Verdict | undefined
  /** Reads policy and grants again. On an error what was read before stays. Errors: as of {@link pluginTrust}. */
  readonly reload: () => Promise<void>
}

/** Nesting of a policy's values. */
const depthLimit = 32
/** Verdicts that are remembered; of more plugins than that, the oldest is forgotten. */
const keptVerdicts = 10_000

/** Reads what was approved. Errors: `CONFIG_TRUST_POLICY`, `GRANTS_INVALID`. */
export async function pluginTrust({ plugins, dataDirectory }: HostConfig, log: HostLog): Promise<PluginTrust> {
  const grants = new GrantsFile(join(dataDirectory, 'grants.json'))
  const source = installed({ lock: plugins.lock, store: join(dataDirectory, 'installed') })
  const folders = plugins.development ? plugins.directories.map((path) => `directory:${join(path, '*')}`) : []
  let policy: TrustPolicy = {}
  const reload = async (): Promise<void> => {
    const read = plugins.trustPolicy === undefined ? {} : await readPolicyFile(plugins.trustPolicy)
    await grants.load()
    policy = withFolders(read, folders)
  }
  await reload()
  if (plugins.development) {
    const { directories } = plugins
    log.warn('development: plugins in these directories need no signature and may do all they ask for', { directories })
  }
  const verdicts = new Map<string, Verdict>()
  const judgeNow = (subject: Subject): Verdict => {
    const verdict = judge(subject, policy, Date.now())
    verdicts.delete(subject.id)
    verdicts.set(subject.id, verdict)
    for (const oldest of verdicts.keys()) if (verdicts.size > keptVerdicts) verdicts.delete(oldest)
    return verdict
  }
  const admission = createAdmission({
    judge: judgeNow,
    installed: source,
    grants,
    approvesDeclared: (name) => plugins.development && name !== source.name,
  })
  return {
    admission,
    installed: source,
    grants,
    judge: judgeNow,
    policy: () => policy,
    lastVerdict: (id) => verdicts.get(id),
    reload,
  }
}

function withFolders(policy: TrustPolicy, folders: readonly string[]): TrustPolicy {
  const { allowUnsigned = false } = policy
  if (folders.length === 0 || allowUnsigned === true) return policy
  return { ...policy, allowUnsigned: [...(allowUnsigned === false ? [] : allowUnsigned), ...folders] }
}

async function readPolicyFile(path: string): Promise<TrustPolicy> {
  try {
    return readPolicy(strictly(await readFile(path, 'utf8')))
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw hypersdkErrors.error('CONFIG_TRUST_POLICY', { path, reason }, { cause: error })
  }
}

/** A policy must say the same to whoever reviews it: of a key written twice one reader sees the first, another the last. */
function strictly(text: string): unknown {
  const parsed = parseStrictJson(text, depthLimit)
  switch (parsed.kind) {
    case 'value':
      return parsed.value
    case 'syntax':
      throw parsed.error
    case 'too-deep':
      throw new Error(`its values are nested more than ${depthLimit} deep`)
    case 'forbidden-key':
    case 'repeated-key':
      throw new Error(`the key "${parsed.key}" is ${parsed.kind === 'repeated-key' ? 'there twice' : 'not allowed'}`)
  }
}

import { join } from 'node:path'
import type { Admission, AdmissionRequest, AuditTrail, PluginAccess, Store } from '@backplane/kernel'
import {
  createAdmission,
  filesBelow,
  GrantsFile,
  PackageScans,
  type InstalledSource,
  type PackageToScan,
} from '@backplane/sources'
import { newestIndexMs } from '@backplane/sources/install'
import {
  judge,
  type Advisory,
  type Finding,
  type ScannedFile,
  type Subject,
  type TrustPolicy,
  type Verdict,
} from '@backplane/trust'
import type { HostConfig } from '../config/host-config.ts'
import { readPolicyFile, type ReadPolicy } from '../trust/policy-file.ts'
import { packageScanners } from '../trust/package-scanners.ts'
import { bundledPluginIds } from './bundled-plugins.ts'
import type { HostLog } from './host-log.ts'
import { installedPlugins } from './plugin-sources.ts'

/** What decides which plugins may run, with which permissions. */
export interface PluginTrust {
  readonly admission: Admission
  readonly installed: InstalledSource
  /** What was approved for plugins in folders. */
  readonly grants: GrantsFile
  /** The verdict by the policy there is now. */
  readonly judge: (subject: Subject) => Verdict
  /** What the scanners find in a package; undefined where none is to look. */
  readonly scan: (
    about: PackageToScan,
    files: () => Promise<readonly ScannedFile[]>,
    signal: AbortSignal,
  ) => Promise<readonly Finding[] | undefined>
  /**
   * Takes what others warn of for advisories beside the policy's, instead of what it was told before. They are about packages
   * from outside alone: nobody but the operator stops what is part of the host.
   */
  readonly advise: (advisories: readonly Advisory[]) => void
  /** What packages from outside are judged by now. */
  readonly policy: () => TrustPolicy
  /** The last verdict on any package of a plugin, asked for at a start or an install. */
  readonly lastVerdict: (id: string) => Verdict | undefined
  /** Looks when the indexes that were read were signed: verdicts go by no earlier time than that. Errors: `INDEX_MEMORY_INVALID`. */
  readonly sawIndexes: () => Promise<void>
  /** Whether the policy ran out, or will soon, and what to do. */
  readonly problems: () => readonly string[]
  /** Reads policy and grants again. On an error what was read before stays. Errors: as of {@link pluginTrust}. */
  readonly reload: () => Promise<void>
}

/** Around it. */
export interface PluginTrustParts {
  readonly log: HostLog
  /** Keeps which policies were seen, and what scanners found. */
  readonly store: Store
  /** Told of scanners that were asked. */
  readonly trail?: AuditTrail | undefined
  /** Ms since the epoch. Default: the system's clock. */
  readonly now?: () => number
}

/** Verdicts that are remembered; of more plugins than that, the oldest is forgotten. */
const keptVerdicts = 10_000
const nobody: ReadPolicy = { policy: {}, expiresMs: undefined, signedMs: 0 }

/** File in the data directory that keeps which indexes were seen. */
export function indexMemory({ dataDirectory }: Pick<HostConfig, 'dataDirectory'>): string {
  return join(dataDirectory, 'indexes-seen.json')
}

/** Reads what was approved. Errors: those of {@link readPolicyFile}, `GRANTS_INVALID`, `INDEX_MEMORY_INVALID`. */
export async function pluginTrust(config: HostConfig, parts: PluginTrustParts): Promise<PluginTrust> {
  const { plugins, dataDirectory } = config
  const { log, store, trail, now = Date.now } = parts
  const grants = new GrantsFile(join(dataDirectory, 'grants.json'))
  const source = installedPlugins(config)
  const folders = plugins.development ? plugins.directories.map((path) => `directory:${join(path, '*')}`) : []
  const isTakenAsItIs = (name: string): boolean => plugins.development && name !== source.name
  let read = nobody
  let policy: TrustPolicy = {}
  let warned: readonly Advisory[] = []
  let outside: TrustPolicy = {}
  const advise = (advisories: readonly Advisory[]): void => {
    warned = advisories
    outside = warned.length === 0 ? policy : { ...policy, advisories: [...(policy.advisories ?? []), ...warned] }
  }
  let indexesMs = 0
  // A clock that is behind what somebody signed is wrong: with it, what ran out or was taken back would count again.
  const nowMs = (): number => Math.max(now(), read.signedMs, indexesMs)
  const sawIndexes = async (): Promise<void> => {
    indexesMs = Math.max(indexesMs, await newestIndexMs(indexMemory(config)))
  }
  const reload = async (): Promise<void> => {
    await sawIndexes()
    const next = plugins.trustPolicy === undefined ? nobody : await readPolicyFile(plugins.trustPolicy, store, nowMs())
    await grants.load()
    read = next
    policy = withFolders(read.policy, folders)
    advise(warned)
  }
  await reload()
  if (plugins.development) {
    const { directories } = plugins
    log.warn('development: plugins in these directories need no signature and may do all they ask for', { directories })
  }
  const verdicts = new Map<string, Verdict>()
  const judgeNow = (subject: Subject): Verdict => {
    const atMs = nowMs()
    const judged = judge(subject, subject.origin === 'bundled' ? policy : outside, atMs)
    const known = unlessUnknownScanner(unlessOwn(judged, subject), subject, plugins)
    const verdict = unlessExpired(known, subject, { expiresMs: read.expiresMs, atMs })
    verdicts.delete(subject.id)
    verdicts.set(subject.id, verdict)
    for (const oldest of verdicts.keys()) if (verdicts.size > keptVerdicts) verdicts.delete(oldest)
    return verdict
  }
  let reached: PluginAccess | undefined
  const scanners = packageScanners(config, () => reached)
  const scans = plugins.scan ? await PackageScans.open({ store, namespace: 'hypersdk:scans', scanners, trail }) : undefined
  const scan: PluginTrust['scan'] = async (about, files, signal) => scans?.of(about, files, signal)
  const scanStaged = async ({ source: from, staged, manifest }: AdmissionRequest, signal: AbortSignal) => {
    const { code, digest } = staged
    if (isTakenAsItIs(from) || code.kind !== 'files') return undefined
    return scan({ ...manifest, digest }, () => filesBelow(code.directory), signal)
  }
  const gate = createAdmission({
    judge: judgeNow,
    installed: source,
    grants,
    approvesDeclared: isTakenAsItIs,
    scan: scanStaged,
  })
  const admission: Admission = { ...gate, attach: (access) => void (reached = access) }
  return {
    admission,
    installed: source,
    grants,
    judge: judgeNow,
    scan,
    advise,
    policy: () => outside,
    lastVerdict: (id) => verdicts.get(id),
    sawIndexes,
    problems: () => expiryProblems(read.expiresMs, nowMs()),
    reload,
  }
}

function withFolders(policy: TrustPolicy, folders: readonly string[]): TrustPolicy {
  const { allowUnsigned = false } = policy
  if (folders.length === 0 || allowUnsigned === true) return policy
  return { ...policy, allowUnsigned: [...(allowUnsigned === false ? [] : allowUnsigned), ...folders] }
}

/** So long before a policy runs out it is told, ms. */
const soonMs = 3 * 24 * 3_600_000

function expiryProblems(expiresMs: number | undefined, atMs: number): readonly string[] {
  if (expiresMs === undefined || expiresMs - atMs >= soonMs) return []
  const bring = 'bring the newest signed policy to where the configuration names it, and send SIGHUP'
  const when = new Date(expiresMs).toISOString()
  return atMs < expiresMs
    ? [`the trust policy runs out at ${when}; ${bring}`]
    : [`the trust policy ran out at ${when}, so no external plugin is started or installed; ${bring}`]
}

/** A policy that ran out while the daemon ran vouches for nobody: somebody may be keeping the next one from it. */
function unlessExpired(
  verdict: Verdict,
  { origin }: Subject,
  { expiresMs = Infinity, atMs }: { readonly expiresMs: number | undefined; readonly atMs: number },
): Verdict {
  if (origin === 'bundled' || atMs < expiresMs) return verdict
  const refused = {
    rule: 'publisher',
    outcome: 'refused',
    reason: `the trust policy ran out at ${new Date(expiresMs).toISOString()} and vouches for nobody`,
    fix: 'Bring the newest signed policy to where the configuration names it, and send SIGHUP.',
  } as const
  return refusedAs(verdict, refused)
}

/** Settings, secrets and waivers of what ships with the host are said by its id, so nothing from outside is taken under that. */
function unlessOwn(verdict: Verdict, { id, origin }: Subject): Verdict {
  if (origin === 'bundled' || !bundledPluginIds.has(id)) return verdict
  return refusedAs(verdict, {
    rule: 'publisher',
    outcome: 'refused',
    reason: `${id} ships with this host, and nothing from outside takes its place, whoever signed it`,
    fix: 'Give the package an id of its own.',
  })
}

/**
 * No plugin looks through one that is a scanner itself, so that not even a policy that takes what nobody signed is enough for it:
 * a publisher signs it, or the configuration names its digest. In development folders are taken as they are, as ever.
 */
function unlessUnknownScanner(
  verdict: Verdict,
  { id, origin, digest, source }: Subject,
  plugins: HostConfig['plugins'],
): Verdict {
  const named = plugins.scanners.filter((one) => one.kind === 'plugin' && one.plugin === id)
  const [first] = named
  if (origin === 'bundled' || first === undefined || !verdict.ok) return verdict
  const isInFolder = plugins.directories.some((directory) => source.startsWith(`directory:${directory}/`))
  const digests = named.flatMap((one) => (one.kind === 'plugin' ? (one.digest ?? []) : []))
  if (digests.includes(digest) || (plugins.development && isInFolder)) return verdict
  const place = `plugins.scanners.${first.name}.digest`
  if (digests.length === 0 && verdict.trust === 'signed') return verdict
  const reason =
    digests.length === 0
      ? `it is the scanner ${first.name}, which no other plugin looks through, and nobody the policy trusts signed it`
      : `it is the scanner ${first.name}, of which ${place} takes ${digests.join(', ')} alone`
  const fix = `Take a version that a publisher of the policy signed, or read this one and write ${place}: ${digest} into the configuration.`
  return refusedAs(verdict, { rule: 'publisher', outcome: 'refused', reason, fix })
}

function refusedAs(verdict: Verdict, refused: Verdict['rules'][number]): Verdict {
  const { publisher: _publisher, ...rest } = verdict
  return { ...rest, ok: false, trust: 'unsigned', rules: verdict.rules.map((one) => (one.rule === 'publisher' ? refused : one)) }
}

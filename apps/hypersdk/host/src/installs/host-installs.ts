import { hash } from 'node:crypto'
import { join } from 'node:path'
import { acceptManifest, checkPackage } from '@backplane/kernel'
import { PlatformError } from '@backplane/sdk'
import type { InstallOrder, InstallPlan, InstallStep, InstallWork, OutdatedPlugin, PluginInstalls } from '@backplane/server'
import { sourceErrors } from '@backplane/sources'
import {
  Installer,
  localPath,
  lockText,
  readLock,
  sourceOf,
  type Change,
  type Fetcher,
  type FetchOptions,
  type LockFile,
  type Plan,
  type PlanStep,
  type PutStep,
} from '@backplane/sources/install'
import type { Verdict } from '@backplane/trust'
import type { HostConfig } from '../config/host-config.ts'
import type { PluginTrust } from '../daemon/plugin-trust.ts'
import { hostApiVersion } from '../daemon/product.ts'
import { bundleAmong, bundleAt, Bundles } from './bundles.ts'
import { deletePluginFiles } from './delete-plugin-files.ts'
import { examineStorage } from './examine-storage.ts'
import { dependencyReference, fetcherPlaces } from './package-fetchers.ts'
import { searchPackages } from './search-packages.ts'
import { Uploads, type UploadReading } from './uploads.ts'

/** What installing works with. */
export interface HostInstallsOptions {
  readonly config: HostConfig
  readonly trust: PluginTrust
  readonly fetchers: readonly Fetcher[]
  /** Where all plugins lie. */
  readonly paths: () => readonly string[]
}

type Approved = InstallOrder['approvals']

interface Planned {
  /** That has what the plan is of. */
  readonly installer: Installer
  readonly plan: Plan
}

/** Makes the installer of the daemon what the management API wants. */
export async function hostInstalls({ config, trust, fetchers, paths }: HostInstallsOptions): Promise<PluginInstalls> {
  const { plugins, dataDirectory } = config
  const uploads = await Uploads.open(fetcherPlaces(dataDirectory).uploads)
  const installer = new Installer({
    lock: plugins.lock,
    store: join(dataDirectory, 'installed'),
    fetchers,
    judge: trust.judge,
    acceptManifest,
    checkPackage,
    hostApi: hostApiVersion,
    referenceOf: (id) => dependencyReference(plugins.sources.dependencies, id),
    scan: ({ tree }, signal, manifest) => trust.scan({ ...manifest, digest: tree.digest }, async () => tree.files, signal),
  })
  const bundles = new Bundles(join(dataDirectory, 'bundles'))
  const { directories } = plugins.sources
  /** A bundle is installed by what it holds alone. */
  const plan = async (changes: readonly Change[], work: InstallWork, withheld: Approved = {}): Promise<Planned> => {
    const reference = bundleAmong(changes)
    const from =
      reference === undefined ? { installer, changes } : installer.from(await bundleAt(reference, directories, work.signal))
    const made = await from.installer.plan(from.changes, optionsOf(work), withheld)
    await trust.sawIndexes()
    return { installer: from.installer, plan: made }
  }
  const isInstalled: PluginInstalls['isInstalled'] = ({ source }) => source === trust.installed.name

  return {
    plan: async (changes, work, withheld) => planOf((await plan(changes.map(changeOf), work, withheld)).plan),
    apply: async (order, work) => {
      const { installer: installing, plan: made } = await plan(order.changes.map(changeOf), work, order.withheld)
      checkSame(order, made, plugins.lock)
      order.check?.(planOf(made))
      checkApproved(made, order.approvals)
      await installing.apply(made, order.approvals, optionsOf(work))
      return planOf(made)
    },
    outdated: (work) => outdated(installer, (id) => dependencyReference(plugins.sources.dependencies, id), work),
    search: (text, work) => searchPackages(fetchers, text, optionsOf(work)),
    isInstalled,
    lock: () => readLock(plugins.lock),
    verify: ({ signal }) => installer.verify(signal),
    restore: async (work, bundle) => {
      const from = bundle === undefined ? installer : installer.from(await bundleAt(bundle, directories, work.signal)).installer
      return from.restoreEach(optionsOf(work))
    },
    bundle: async (work) => {
      const bytes = await installer.bundle(optionsOf(work))
      const { plugins: bundled } = await installer.lock()
      return { digest: await bundles.keep(bytes), sizeBytes: bytes.length, plugins: Object.keys(bundled) }
    },
    readBundle: (digest) => bundles.read(digest),
    examine: (work, fix) => examineStorage({ installer, dataDirectory, options: optionsOf(work), fix }),
    collect: async () => {
      const named = uploadsIn(await installer.lock())
      return { packages: await installer.collect(), uploads: await uploads.collect(named) }
    },
    approvals: () => [...installedApprovals(trust), ...folderApprovals(trust)],
    approved: ({ id, version, origin, source }) => trust.admission.approved?.({ id, version, origin, source }),
    withheld: ({ id, version, origin, source }) => trust.admission.withheld?.({ id, version, origin, source }) ?? [],
    permit: async (plugin, permitted, by, { signal }) => {
      if (isInstalled(plugin)) await installer.permit(plugin.id, permitted, signal)
      else await trust.grants.permit(plugin.id, permitted, by, signal)
    },
    upload: async (bytes, { signal }) => {
      await uploads.collect(uploadsIn(await installer.lock()))
      const inspect: UploadReading['inspect'] = (...given) => installer.inspect(...given)
      return uploads.keep(bytes, { fetcher: archivesIn(fetchers), inspect }, signal)
    },
    uploadBytes: plugins.sources.upload_limit,
    deleteFiles: (plugin) => deletePluginFiles(plugin, { directories: plugins.directories, paths }),
    policy: () => trust.policy(),
    verdict: ({ id }) => {
      const verdict = trust.lastVerdict(id)
      return verdict === undefined ? undefined : verdictOf(verdict)
    },
  }
}

function archivesIn(fetchers: readonly Fetcher[]): Fetcher {
  const fetcher = fetchers.find(({ kind }) => kind === 'archive')
  if (fetcher === undefined) throw new TypeError('nothing fetches archives')
  return fetcher
}

function optionsOf({ signal, onProgress }: InstallWork): FetchOptions {
  return { signal, ...(onProgress === undefined ? {} : { onProgress }) }
}

function changeOf(change: InstallOrder['changes'][number]): Change {
  switch (change.kind) {
    case 'add':
      return change
    case 'update':
      return change.id === undefined ? { kind: 'update' } : { kind: 'update', id: change.id }
    case 'remove':
      return { kind: 'remove', id: change.id, withUsers: change.withUsers === true }
  }
}

/** Of the lock it was made against, and of what would become of that: digests, places, permissions. */
function etagOf({ etag, lock }: Plan): string {
  return `${etag.slice(0, 16)}.${hash('sha256', lockText(lock)).slice(0, 32)}`
}

/** Errors: `LOCK_CHANGED`, `INSTALL_PLAN_CHANGED`. */
function checkSame({ etag }: InstallOrder, made: Plan, path: string): void {
  const now = etagOf(made)
  if (etag === undefined || etag === now) return
  if (etag.split('.')[0] !== now.split('.')[0]) throw sourceErrors.error('LOCK_CHANGED', { path })
  throw sourceErrors.error('INSTALL_PLAN_CHANGED')
}

/** Tells of all plugins at once what is to be approved. Errors: `INSTALL_UNAPPROVED`. */
function checkApproved({ steps }: Plan, approvals: InstallOrder['approvals']): void {
  const missing = steps
    .filter((step) => step.kind !== 'remove')
    .map(({ id, version, permissions }) => {
      const approved = Object.hasOwn(approvals, id) ? approvals[id] : undefined
      return { id, version, permissions: permissions.unapproved.filter((one) => approved?.includes(one) !== true) }
    })
    .filter(({ permissions }) => permissions.length > 0)
  const [first] = missing
  if (first === undefined) return
  const parameters = {
    plugin: missing.map(({ id }) => id).join(', '),
    version: missing.map(({ version }) => version).join(', '),
    permissions: missing.flatMap(({ permissions }) => permissions).join(', '),
  }
  const unapproved = Object.fromEntries(missing.map(({ id, permissions }) => [id, permissions]))
  throw sourceErrors.error('INSTALL_UNAPPROVED', parameters, { plugin: first.id, details: { approvals: unapproved } })
}

function planOf(plan: Plan): InstallPlan {
  return { etag: etagOf(plan), steps: plan.steps.map(stepOf) }
}

function stepOf(step: PlanStep): InstallStep {
  if (step.kind === 'remove') return step
  const { kind, id, version, from, neededBy, manifest, verdict, permissions, sizeBytes, fetched } = step
  return {
    kind,
    id,
    version,
    from: from?.version,
    neededBy,
    source: sourceOf(fetched.place),
    digest: fetched.tree.digest,
    sizeBytes,
    verdict: verdictOf(verdict),
    permissions,
    license: { from: from?.manifest?.license, to: manifest.license },
    config: { from: from?.manifest?.config, to: manifest.config },
  }
}

function verdictOf({ ok, trust, publisher, rules }: Verdict): PutVerdict {
  return { ok, trust, publisher, rules }
}
type PutVerdict = Extract<InstallStep, { readonly verdict: unknown }>['verdict']

/**
 * Of each plugin that was asked for, or that others need and whose source is known, what an update of it alone would bring. One
 * that cannot be asked about hides no other.
 */
async function outdated(
  installer: Installer,
  referenceOf: (id: string) => string | undefined,
  work: InstallWork,
): Promise<readonly OutdatedPlugin[]> {
  const { plugins } = await installer.lock()
  const found: OutdatedPlugin[] = []
  for (const [id, { version, requested = referenceOf(id) }] of Object.entries(plugins)) {
    if (requested === undefined) continue
    work.onProgress?.({ done: found.length, phase: `asking about ${id}` })
    const none = { id, version, requested, available: undefined, unapproved: [], problem: undefined }
    try {
      const { steps } = await installer.plan([{ kind: 'update', id }], optionsOf(work))
      const step = steps.find((one): one is PutStep => one.kind !== 'remove' && one.id === id)
      found.push(step === undefined ? none : { ...none, available: step.version, unapproved: step.permissions.unapproved })
    } catch (error) {
      if (!(error instanceof PlatformError)) throw error
      found.push({ ...none, problem: { code: error.code, message: error.message } })
    }
  }
  return found
}

/** Paths of the archives that the lock names. */
function uploadsIn({ plugins }: LockFile): ReadonlySet<string> {
  const places = Object.values(plugins).flatMap(({ artifacts }) => Object.values(artifacts).map(({ place }) => place))
  return new Set(places.flatMap((place) => (place.kind === 'archive' ? (localPath(place.url) ?? []) : [])))
}

type Approvals = ReturnType<PluginInstalls['approvals']>

function installedApprovals({ installed }: PluginTrust): Approvals {
  return installed.all().map(({ id, plugin: { permissions, withheld = [] } }) => ({
    id,
    permissions,
    withheld,
    keptIn: 'lock' as const,
    by: undefined,
    at: undefined,
  }))
}

function folderApprovals({ grants }: PluginTrust): Approvals {
  return Object.entries(grants.approvals).map(([id, { permissions, withheld = [], by, at }]) => ({
    id,
    permissions,
    withheld,
    keptIn: 'grants' as const,
    by,
    at,
  }))
}

import { didYouMean, nearestName, type Manifest } from '@backplane/sdk'
import { sourceErrors } from '../errors.ts'
import type { FetchedPackage, FetchOptions } from '../fetch/fetcher.ts'
import type { LockedPlugin, LockFile } from '../lock/lock-file.ts'
import { resolveReleases } from '../resolve/resolve-releases.ts'
import type { Release } from '../resolve/release.ts'
import { askVerdict, subjectOf } from './ask-verdict.ts'
import { carriedApprovals } from './carried-approvals.ts'
import type { InstallerOptions } from './installer.ts'
import { Offers, type Offer } from './offers.ts'
import type { Change, Plan, PlanStep, PutStep, RemoveStep } from './plan.ts'

/** What a plan is made against. */
export interface PlanContext extends Omit<InstallerOptions, 'lock' | 'store' | 'platform'> {
  readonly platform: string
  readonly lock: LockFile
  readonly etag: string
  /** Of what is stored for a locked plugin; undefined when the store has lost it. */
  readonly manifestOf: (id: string, plugin: LockedPlugin) => Promise<Manifest | undefined>
  /** What is to be kept from plugins that come, by id, beside what the lock says. */
  readonly withheld: Readonly<Record<string, readonly string[]>>
}

/** Works out what changes come to. Nothing is written. */
export async function makePlan(context: PlanContext, changes: readonly Change[], options: FetchOptions): Promise<Plan> {
  const wanted = await wantedAfter(context, changes, options)
  const { offers, requested, prefer } = wanted
  const resolution = await resolveReleases({
    wishes: [...requested.keys()].map((id) => ({ id, range: '*', by: 'you' })),
    universe: offers,
    hostApi: context.hostApi,
    prefer,
  })
  if (!resolution.ok) {
    const { chain, fix } = resolution.conflict
    const parameters = { reason: chain.join('; '), fix: fix ?? 'Ask for other versions.' }
    throw sourceErrors.error('INSTALL_CONFLICT', parameters, { details: { chain } })
  }
  const { releases } = resolution
  checkRemoved(wanted.removed, releases)
  const puts: PutStep[] = []
  const plugins: Record<string, LockedPlugin> = {}
  for (const release of releases) {
    const kept = context.lock.plugins[release.id]
    const reference = requested.get(release.id)
    const offer = await offers.taken(release.id, release.version)
    if (offer === undefined && kept !== undefined) {
      plugins[release.id] = withRequest(kept, reference)
      continue
    }
    if (offer === undefined) throw new TypeError(`${release.id} ${release.version} is chosen and nobody has it`)
    const step = await putStep(context, { release, offer, kept, releases, signal: options.signal })
    puts.push(step)
    plugins[release.id] = withRequest(lockedOf(step, withheldFrom(context, release.id)), reference)
  }
  const removes = Object.entries(context.lock.plugins)
    .filter(([id]) => plugins[id] === undefined)
    .map(([id, { version }]): RemoveStep => ({ kind: 'remove', id, version, isOrphan: !wanted.removed.has(id) }))
  const steps: readonly PlanStep[] = [...puts, ...removes]
  return { etag: context.etag, steps, lock: { lockVersion: 1, plugins } }
}

interface Wanted {
  readonly offers: Offers
  /** Ids that are asked for, with their references. */
  readonly requested: ReadonlyMap<string, string>
  readonly removed: ReadonlySet<string>
  readonly prefer: ReadonlyMap<string, string>
}

/** What is asked for once the changes are made, and what may move for it. */
async function wantedAfter(context: PlanContext, changes: readonly Change[], options: FetchOptions): Promise<Wanted> {
  const { plugins } = context.lock
  const requested = new Map(
    Object.entries(plugins).flatMap(([id, { requested: reference }]) =>
      reference === undefined ? [] : [[id, reference] as const],
    ),
  )
  const named = new Set<string>()
  const offers = new Offers(context, { requested, named }, options)
  const prefer = new Map(Object.entries(plugins).map(([id, { version }]) => [id, version]))
  const removed = new Set<string>()
  for (const change of changes) {
    if (change.kind === 'add') {
      const id = await offers.idOf(change.reference)
      requested.set(id, change.reference)
      named.add(id)
      prefer.delete(id)
    } else if (change.kind === 'update') {
      for (const id of change.id === undefined ? Object.keys(plugins) : [known(plugins, change.id)]) prefer.delete(id)
    } else {
      for (const id of change.withUsers === true ? withUsers(plugins, change.id) : [known(plugins, change.id)]) {
        requested.delete(id)
        removed.add(id)
      }
    }
  }
  return { offers, requested, removed, prefer }
}

/** The id of what is locked, by it or by the part after the slash when only one plugin has it. Errors: `INSTALL_NOT_LOCKED`. */
function known(plugins: LockFile['plugins'], name: string): string {
  const [meant, other] = name.includes('/') ? [] : Object.keys(plugins).filter((id) => bareName(id) === name)
  const id = other === undefined && meant !== undefined ? meant : name
  lockedPlugin(plugins, id)
  return id
}

/** What a lock holds of a plugin. Errors: `INSTALL_NOT_LOCKED` with the ids that may be meant. */
export function lockedPlugin(plugins: LockFile['plugins'], id: string): LockedPlugin {
  const plugin = Object.hasOwn(plugins, id) ? plugins[id] : undefined
  if (plugin !== undefined) return plugin
  const suggestion = suggestionFor(id, Object.keys(plugins))
  throw sourceErrors.error('INSTALL_NOT_LOCKED', { plugin: id, suggestion }, { plugin: id })
}

function suggestionFor(name: string, ids: readonly string[]): string {
  if (name.includes('/')) return didYouMean(name, ids)
  const nearest = nearestName(name, ids.map(bareName))
  const meant = ids.filter((id) => bareName(id) === nearest)
  return meant.length > 1 ? `; it may be any of ${meant.join(', ')}` : didYouMean(meant[0] ?? name, meant)
}

function bareName(id: string): string {
  return id.slice(id.indexOf('/') + 1)
}

/** A plugin and all that need it, directly or not. */
function withUsers(plugins: LockFile['plugins'], id: string): ReadonlySet<string> {
  const found = new Set([known(plugins, id)])
  for (const each of found) {
    for (const [user, { dependencies }] of Object.entries(plugins)) if (Object.hasOwn(dependencies, each)) found.add(user)
  }
  return found
}

/** What was to go and is still needed stays, so that is refused. Errors: `INSTALL_NEEDED`. */
function checkRemoved(removed: ReadonlySet<string>, releases: readonly Release[]): void {
  for (const { id } of releases) {
    if (!removed.has(id)) continue
    const users = neededBy(id, releases).join(', ')
    throw sourceErrors.error('INSTALL_NEEDED', { plugin: id, users }, { plugin: id, details: { users } })
  }
}

function neededBy(id: string, releases: readonly Release[]): readonly string[] {
  return releases.filter(({ dependencies }) => dependencies.some((one) => one.id === id && !one.optional)).map((user) => user.id)
}

interface Putting {
  readonly release: Release
  readonly offer: Offer
  readonly kept: LockedPlugin | undefined
  readonly releases: readonly Release[]
  readonly signal: AbortSignal
}

async function putStep(context: PlanContext, { release, offer, kept, releases, signal }: Putting): Promise<PutStep> {
  const { id, version } = release
  const { manifest, fetched } = offer
  const asked = [...new Set(manifest.permissions)].sort()
  const from = kept === undefined ? undefined : { version: kept.version, manifest: await context.manifestOf(id, kept) }
  const subject = await subjectOf(context, manifest, { fetched, signal })
  const verdict = askVerdict(context, subject)
  await context.checkPackage?.(manifest, new Set(fetched.tree.files.map(({ path }) => path)))
  const keptFrom = withheldFrom(context, id)
  const withheld = asked.filter((permission) => keptFrom.includes(permission))
  const carried = carriedApprovals(isStrange(fetched, verdict.publisher, kept) ? undefined : kept, {
    artifacts: artifactsOf(fetched),
    ...(verdict.publisher === undefined ? {} : { publisher: verdict.publisher }),
  })
  return {
    kind: kept === undefined ? 'install' : 'update',
    id,
    version,
    from,
    neededBy: neededBy(id, releases),
    manifest,
    subject,
    verdict,
    permissions: {
      asked,
      withheld,
      unapproved: asked.filter((permission) => !carried.includes(permission) && !withheld.includes(permission)),
      dropped: (kept?.permissions ?? []).filter((permission) => !asked.includes(permission)),
    },
    sizeBytes: fetched.tree.files.reduce((sum, file) => sum + file.bytes.length, 0),
    fetched,
  }
}

/** Also what the version that comes does not ask for: a later one may. */
function withheldFrom({ lock, withheld }: Pick<PlanContext, 'lock' | 'withheld'>, id: string): readonly string[] {
  const more = Object.hasOwn(withheld, id) ? (withheld[id] ?? []) : []
  return [...new Set([...(lock.plugins[id]?.withheld ?? []), ...more])].sort()
}

/** Whether nothing but a bundle itself says that this is the package that was approved before. */
export function isStrange(
  { source, tree }: FetchedPackage,
  publisher: string | undefined,
  kept: LockedPlugin | undefined,
): boolean {
  if (source === undefined || publisher !== undefined || kept === undefined) return false
  return !Object.values(kept.artifacts).some(({ digest }) => digest === tree.digest)
}

function artifactsOf(fetched: FetchedPackage): LockedPlugin['artifacts'] {
  const { place, tree, archive, archiveSha512, publishedAtMs, platforms } = fetched
  const said = {
    ...(archive === undefined ? {} : { archive }),
    ...(archiveSha512 === undefined ? {} : { archiveSha512 }),
    ...(publishedAtMs === undefined ? {} : { publishedAtMs }),
  }
  return platforms ?? { any: { place, digest: tree.digest, ...said } }
}

function lockedOf({ version, verdict, manifest, permissions, fetched }: PutStep, withheld: readonly string[]): LockedPlugin {
  const needed = (manifest.dependencies ?? []).filter(({ optional }) => optional !== true)
  return {
    version,
    artifacts: artifactsOf(fetched),
    ...(verdict.publisher === undefined ? {} : { publisher: verdict.publisher }),
    permissions: permissions.asked.filter((permission) => !withheld.includes(permission)),
    ...(withheld.length === 0 ? {} : { withheld }),
    dependencies: Object.fromEntries(needed.map(({ id, range }) => [id, range])),
  }
}

function withRequest(plugin: LockedPlugin, reference: string | undefined): LockedPlugin {
  const { version, artifacts, publisher, permissions, withheld, dependencies } = plugin
  return {
    version,
    artifacts,
    permissions,
    dependencies,
    ...(withheld === undefined ? {} : { withheld }),
    ...(publisher === undefined ? {} : { publisher }),
    ...(reference === undefined ? {} : { requested: reference }),
  }
}

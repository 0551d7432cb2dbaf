import type { Directories } from '@backplane/sdk'
import { checkConfig } from '../config-check.ts'
import type { Core } from '../core.ts'
import { kernelErrors } from '../errors.ts'
import type { PluginSettings } from '../kernel.ts'
import { grantsOf, noVocabulary, type Opened, openedBy } from '../plugins/permissions.ts'
import type { Candidate } from '../plugins/plugin.ts'
import type { StatePlace } from '../plugins/plugin-states.ts'
import type { AuditMode } from '../permission-use.ts'
import type { Coverage } from '../plugins/use-tally.ts'
import { chooseTier, weighEnforcement } from '../policy.ts'
import type { AcceptedManifest, Enforcement, Grants, Isolation, Limits, Runtime, StagedPackage, StartRequest } from '../ports.ts'
import { resolveSettings } from '../settings.ts'
import { withheld } from './admission.ts'

/** All that is decided before any code runs. */
export interface StartPlan {
  readonly manifest: AcceptedManifest
  readonly staged: StagedPackage
  readonly limits: Limits
  readonly grants: Grants
  readonly withheld: readonly string[]
  /** What its permissions open. */
  readonly covered: readonly Coverage[]
  readonly audit: AuditMode | undefined
  readonly runtime: Runtime
  readonly enforcement: readonly Enforcement[]
  readonly directories: Directories
  readonly request: StartRequest
}

/** Which generation it is, and where it keeps its state. */
export interface StartWay {
  readonly number: number
  readonly place: StatePlace
}

/** Decides how one generation would be started: settings, limits, grants, tier, and what the tier can enforce. */
export async function planStart(
  core: Core,
  candidate: Candidate,
  { manifest, staged }: Pick<StartPlan, 'manifest' | 'staged'>,
  { number, place }: StartWay,
): Promise<StartPlan> {
  const { id, version } = candidate
  const settings = core.settingsOf(candidate)
  const { given, config } = await configOf(core, candidate, settings)
  const limits = core.limitsOf(candidate)
  const own = await core.directories.locate(id, { generation: number, slot: place.slot.name })
  const kept = withheld(core.options.admission, candidate, manifest.permissions)
  const vocabulary = core.options.permissions ?? noVocabulary
  // Only what the operator set: a default is the plugin's own word, and would be taken for his.
  const variables = { ...settings.variables, config: given }
  const filling = { plugin: id, vocabulary, variables, dataDirectory: own.data }
  const grants = grantsOf({ ...filling, permissions: manifest.permissions, withheld: kept, added: settings.grants })
  const covered = manifest.permissions
    .filter((permission) => !kept.includes(permission))
    .flatMap((permission) => openedBy(filling, permission).map((opened) => Object.assign({ permission }, opened)))
  const directories = { ...own, code: staged.code.kind === 'files' ? staged.code.directory : candidate.found.path }
  const request: StartRequest = {
    plugin: { id, version, generation: number },
    host: core.host,
    code: staged.code,
    config,
    grants,
    limits,
    isolation: isolationOf(core, candidate),
    directories,
    declared: Object.fromEntries(Object.entries(manifest.contributes).map(([point, names]) => [point, Object.keys(names)])),
    readyMs: core.times.readyMs,
    ...(place.migrate === undefined ? {} : { migrate: place.migrate }),
  }
  const { runtime, enforcement, isolation } = chooseRuntime(core, candidate, settings, request)
  const audit = auditOf(id, settings, runtime, { grants, isolation })
  const asked: StartRequest = { ...request, isolation, ...(audit?.isOn === true ? { audit: true } : {}) }
  const open = kept.flatMap((permission) => stillOpen(permission, openedBy(filling, permission), covered))
  const decided = { limits, grants, withheld: kept, covered, audit, enforcement: [...enforcement, ...open] }
  return { manifest, staged, ...decided, runtime, directories, request: asked }
}

/** How much the host trusts a package, and how much has to stand around it. */
export function isolationOf({ policy }: Pick<Core, 'policy'>, { id, source: { origin } }: Candidate): Isolation {
  const usual: Isolation = origin === 'bundled' ? { floor: 'process', trust: 'first-party' } : { floor: 'os', trust: 'community' }
  return { ...usual, ...policy.isolation?.({ id, origin }) }
}

/** Whatever the tier: a plugin reaches what such a permission opens only through the host. */
function keptByHost(what: string): Enforcement {
  return { what, level: 'exact', mechanism: 'checked by the host at each call, and before a point is filled' }
}

/** Withholding a directory changes nothing where one around it is granted; that is told, not hidden. */
function stillOpen(permission: string, opened: readonly Opened[], covered: readonly Coverage[]): readonly Enforcement[] {
  const around = covered.find(({ verb, value }) =>
    opened.some((one) => one.verb === verb && verb.startsWith('fs:') && one.value.startsWith(`${value}/`)),
  )
  if (around === undefined) return []
  return [{ what: `withheld ${permission}`, level: 'none', mechanism: `${around.permission}, which it may, holds it too` }]
}

/** Errors: `AUDIT_UNAVAILABLE`. */
function auditOf(
  plugin: string,
  { audit = false }: PluginSettings,
  { tier, cannotAudit }: Runtime,
  { grants, isolation }: Pick<StartRequest, 'grants' | 'isolation'>,
): AuditMode | undefined {
  if (audit === false) return undefined
  const reason = cannotAudit === undefined ? `the ${tier} tier sees nothing of it` : cannotAudit(grants, isolation)
  if (reason === undefined) return { isOn: true }
  if (audit === true) throw kernelErrors.error('AUDIT_UNAVAILABLE', { plugin, reason }, { plugin })
  return { isOn: false, reason }
}

/** Settings as they were given, and with the defaults of the plugin's schema. */
async function configOf(
  core: Core,
  { id, manifest }: Candidate,
  settings: PluginSettings,
): Promise<{ readonly given: unknown; readonly config: unknown }> {
  const from = settings.from ?? `settings of ${id}`
  const given = await resolveSettings(settings.config, { env: core.options.env ?? process.env, from, plugin: id })
  const config = await checkConfig(id, manifest?.config, given, (path) => settings.locate?.(path) ?? from)
  return { given, config }
}

function chooseRuntime(
  core: Core,
  { id, source, manifest }: Candidate,
  settings: PluginSettings,
  { code, grants, limits, isolation }: StartRequest,
): { readonly runtime: Runtime; readonly enforcement: readonly Enforcement[]; readonly isolation: Isolation } {
  const { origin } = source
  const { runtimes } = core.options
  const available = runtimes.map((runtime) => runtime.tier)
  const chosen = chooseTier({ id, origin, settings: settings.tier, policy: core.policy, accepted: manifest?.runtime, available })
  const { tier } = chosen
  const refused = (reason: string): Error =>
    kernelErrors.error('POLICY_TIER_UNAVAILABLE', { plugin: id, tier, reason }, { plugin: id })
  if (!chosen.ok) throw refused(chosen.reason)
  if (code.kind === 'module' && tier !== 'trusted') throw refused('its module is in memory and runs only as trusted')
  const runtime = runtimes.find((known) => known.tier === tier)
  if (runtime === undefined) throw refused('this host has no runtime for it')
  const waived = core.policy.waive?.({ id, origin, tier, grants }) ?? []
  const asked = [...runtime.enforces(grants, limits, isolation), ...grants.host.map(keptByHost)]
  const { enforcement, missing } = weighEnforcement(asked, tier, waived)
  const [first] = missing
  if (first !== undefined) {
    const where = core.policy.waivedIn ?? 'the policy'
    const parameters = { plugin: id, tier, what: first.what, mechanism: first.mechanism, where }
    throw kernelErrors.error('POLICY_UNENFORCEABLE', parameters, { plugin: id, details: { missing } })
  }
  // A sandbox that was waived and cannot be built is left out; its entry stays, to be seen.
  const fallen = isolation.floor === 'os' && asked.some(({ what, level }) => what === 'sandbox' && level === 'none')
  return { runtime, enforcement, isolation: fallen ? { ...isolation, floor: 'process' } : isolation }
}

import {
  didYouMean,
  manifestSchema,
  type ContributionMetadata,
  type Manifest,
  type PermissionVocabulary,
  type SchemaIssue,
} from '@backplane/sdk'
import { mayRun } from '@backplane/sdk/plugin-names'
import { kernelErrors } from '../errors.ts'
import { checkManifestShape } from '../generated/manifest-check.ts'
import type { ShapeError } from '../shape-check.ts'
import type { KernelOptions, Policy } from '../kernel.ts'
import { noVocabulary, parsePermission } from '../plugins/permissions.ts'
import type { Points } from '../points/points.ts'
import type { DeclaredManifest, ManifestSummary } from '../manifest-summary.ts'
import type { AcceptedManifest, FoundPackage } from '../ports.ts'
import type { PointTable } from '../points/point-table.ts'
import { firstIssue, pathText, pointerText } from '../calls/validation.ts'
import type { Failure } from '../record.ts'
import { satisfies, validRange } from '../version-range.ts'
import { failureOf } from './stage-result.ts'

/** What a manifest is checked against. */
export interface CheckContext {
  readonly host: { readonly name: string; readonly api: string }
  readonly policy: Policy
  readonly points: Points
  readonly options: Pick<KernelOptions, 'permissions'>
}

/** What checking a manifest came to. */
export interface Checked {
  /** Kept beside a failure when all but the API fits, so that what the plugin would offer can be listed. */
  readonly declared: DeclaredManifest | undefined
  /** The whole; undefined also when a summary was enough. */
  readonly manifest: AcceptedManifest | undefined
  readonly failure: Failure | undefined
  /** Why policy keeps it from running: it is known, listed, and stays off. */
  readonly denied: string | undefined
  readonly notes: readonly string[]
}

/**
 * Decides by the manifest alone whether a plugin may go on; nothing of it runs. With a summary of it the manifest itself
 * is not read: it kept the rules before, and what depends on the host is decided anew.
 */
export function check(found: FoundPackage, summary: ManifestSummary | undefined, context: CheckContext): Checked {
  let incompatible: Failure | undefined
  try {
    const declared: Summarised | Manifest = summary?.manifest ?? shaped(found)
    const whole = summary === undefined ? (declared as Manifest) : undefined
    const decision = mayRun(declared.id, context.policy)
    incompatible = decision.ok ? apiFailure(declared, context.host) : undefined
    const { permissions: vocabulary = noVocabulary } = context.options
    for (const permission of declared.permissions ?? noStrings) parsePermission(declared.id, permission, vocabulary)
    const notes: string[] = []
    const contributes = checkContributions(declared, context.points, notes)
    const manifest = whole === undefined ? undefined : withDefaults(whole, contributes)
    return {
      declared: manifest ?? declaredOf(declared, contributes),
      manifest,
      failure: incompatible,
      denied: decision.ok ? undefined : decision.reason,
      notes: notes.length === 0 ? noStrings : notes,
    }
  } catch (error) {
    const failure = incompatible ?? failureOf('check', error)
    return { declared: undefined, manifest: undefined, failure, denied: undefined, notes: noStrings }
  }
}

function apiFailure({ id, requires }: Summarised, host: CheckContext['host']): Failure | undefined {
  if (satisfies(host.api, requires.api)) return undefined
  const range = validRange(requires.api) ? requires.api : `${requires.api} (which is not a SemVer range)`
  const parameters = { plugin: id, range, host: host.name, api: host.api }
  return failureOf('check', kernelErrors.error('API_INCOMPATIBLE', parameters, { plugin: id }))
}

type Summarised = ManifestSummary['manifest']

const noStrings: readonly string[] = Object.freeze([])
const noContributions: Readonly<Record<string, never>> = Object.freeze({})
const noDependencies: readonly never[] = Object.freeze([])

function withDefaults(manifest: Manifest, contributes: AcceptedManifest['contributes']): AcceptedManifest {
  return {
    ...manifest,
    ...declaredOf(manifest, contributes),
    main: manifest.main ?? 'index.js',
  }
}

function declaredOf(manifest: Summarised, contributes: DeclaredManifest['contributes']): DeclaredManifest {
  const { id, version, requires, provides, activation = 'lazy', criticality = 'optional' } = manifest
  const { dependencies = noDependencies, permissions = noStrings } = manifest
  const offered = provides === undefined ? {} : { provides }
  return { id, version, requires, ...offered, contributes, dependencies, permissions, activation, criticality }
}

/** Of several errors these say best what is wrong. */
const telling = ['additionalProperties', 'propertyNames']

/**
 * A manifest of the right shape; `manifestPath` is for the message, `vocabulary` holds the permissions that the host names itself.
 * Errors: `MANIFEST_INVALID`, `MANIFEST_UNKNOWN_KEY`, `PERMISSION_INVALID`.
 */
export function acceptManifest(
  manifest: unknown,
  manifestPath: string,
  vocabulary: PermissionVocabulary = noVocabulary,
): Manifest {
  const accepted = shaped({ manifest, manifestPath })
  for (const permission of accepted.permissions ?? noStrings) parsePermission(accepted.id, permission, vocabulary)
  return accepted
}

function shaped({ manifest, manifestPath }: Pick<FoundPackage, 'manifest' | 'manifestPath'>): Manifest {
  if (checkManifestShape(manifest)) return manifest as Manifest
  const errors = checkManifestShape.errors ?? []
  const error = telling.flatMap((wanted) => errors.find(({ keyword }) => keyword === wanted) ?? [])[0] ?? errors[0]
  const path = pointerText(error?.instancePath ?? '')
  if (error?.keyword === 'additionalProperties') {
    const name = String(error.params['additionalProperty'])
    const suggestion = didYouMean(name, knownKeys(error))
    throw kernelErrors.error('MANIFEST_UNKNOWN_KEY', { manifestPath, path: path + pathText([name]), suggestion })
  }
  if (error?.keyword === 'required') {
    const missing = `${path}.${String(error.params['missingProperty'])}`
    throw kernelErrors.error('MANIFEST_INVALID', { manifestPath, path: missing, problem: 'is missing' })
  }
  throw kernelErrors.error('MANIFEST_INVALID', { manifestPath, path, problem: problemOf(error) })
}

function problemOf(error: ShapeError | undefined): string {
  if (error?.keyword === 'enum') return `must be one of ${JSON.stringify(error.params['allowedValues'])}`
  if (error?.keyword === 'const') return `must be ${JSON.stringify(error.params['allowedValue'])}`
  if (error?.keyword === 'propertyNames') return `must not hold the key "${String(error.params['propertyName'])}"`
  return error?.message ?? 'is not valid'
}

/** The names the schema allows where an unknown one was found. */
function knownKeys(error: ShapeError): readonly string[] {
  let schema: unknown = manifestSchema
  for (const key of error.schemaPath.split('/').slice(1, -1)) schema = (schema as Record<string, unknown> | undefined)?.[key]
  return Object.keys((schema as { readonly properties?: object } | undefined)?.properties ?? {})
}

/** Each declaration as the point's schema leaves it; for a point this host does not have as it is, with a note. */
function checkContributions(manifest: Summarised, points: Points, notes: string[]): DeclaredManifest['contributes'] {
  const declared = manifest.contributes
  if (declared === undefined) return noContributions
  const contributes: Record<string, Readonly<Record<string, ContributionMetadata>>> = {}
  for (const [id, names] of Object.entries(declared)) {
    const table = points.find(id)
    if (table === undefined) notes.push(`this host has no point ${id}${didYouMean(id, points.ids)}`)
    contributes[id] = table === undefined ? names : checkNames(manifest, table, names)
  }
  return contributes
}

function checkNames(
  { id: plugin, permissions = noStrings }: Summarised,
  table: PointTable,
  names: Readonly<Record<string, ContributionMetadata>>,
): Readonly<Record<string, ContributionMetadata>> {
  const { kind, id: point, permission } = table.point
  if (permission !== undefined && !permissions.includes(permission))
    throw kernelErrors.error('POINT_NOT_PERMITTED', { plugin, point, permission }, { plugin, point, details: { permission } })
  if (kind === 'provider' && table.declared === undefined) return names
  const checked: Record<string, ContributionMetadata> = {}
  for (const [name, metadata] of Object.entries(names)) {
    const result = table.declared?.(metadata) ?? { value: metadata }
    const problem = kind === 'hook' ? orderProblem(metadata) : undefined
    const isLeftForSetup = kind === 'data' && Object.keys(metadata).length === 0
    if (problem === undefined && result.issues === undefined) checked[name] = result.value as ContributionMetadata
    else if (isLeftForSetup) checked[name] = metadata
    else throw metadataInvalid(plugin, point, name, { problem, issues: result.issues ?? [] })
  }
  return checked
}

function metadataInvalid(
  plugin: string,
  point: string,
  name: string,
  { problem, issues }: { readonly problem: string | undefined; readonly issues: readonly SchemaIssue[] },
): Error {
  const issue = firstIssue(issues)
  const parameters = { plugin, point, name, path: issue.path.slice(1), problem: problem ?? issue.problem }
  return kernelErrors.error('POINT_METADATA_INVALID', parameters, { plugin, point })
}

/** What is wrong with a handler's place in the order. Source: `HandlerOrder` of the SDK. */
function orderProblem(metadata: ContributionMetadata): string | undefined {
  const { phase, before, after } = metadata
  if (phase !== undefined && phase !== 'early' && phase !== 'normal' && phase !== 'late')
    return 'phase must be early, normal or late'
  const isList = (value: unknown): boolean => Array.isArray(value) && value.every((entry) => typeof entry === 'string')
  if (before !== undefined && !isList(before)) return 'before must be a list of plugin ids'
  if (after !== undefined && !isList(after)) return 'after must be a list of plugin ids'
  return undefined
}

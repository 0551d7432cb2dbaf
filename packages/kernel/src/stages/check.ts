import type { ContributionMetadata, Manifest } from '@backplane/sdk'
import { didYouMean, manifestSchema } from '@backplane/sdk'
import { kernelErrors } from '../errors.ts'
import { checkManifestShape, type ManifestShapeError } from '../generated/manifest-check.ts'
import type { Policy } from '../kernel.ts'
import { parsePermission } from '../permissions.ts'
import type { Points } from '../points.ts'
import { mayRun } from '../policy.ts'
import type { AcceptedManifest, FoundPackage } from '../ports.ts'
import type { PointTable } from '../point-table.ts'
import { firstIssue, pathText, pointerText } from '../validation.ts'
import { satisfies, validRange } from '../version-range.ts'
import { failureOf, type StageResult } from './stage-result.ts'

/** What a manifest is checked against. */
export interface CheckContext {
  readonly host: { readonly name: string; readonly api: string }
  readonly policy: Policy
  readonly points: Points
}

/** A manifest that may go on. */
export interface Checked {
  readonly manifest: AcceptedManifest
  readonly notes: readonly string[]
  /** Why policy keeps it from running: it is known, listed, and stays off. */
  readonly denied: string | undefined
}

/** Decides by the manifest alone whether a plugin may go on; nothing of it runs. */
export function check(found: FoundPackage, context: CheckContext): StageResult<Checked> {
  try {
    return { ok: true, value: accept(found, context) }
  } catch (error) {
    return { ok: false, failure: failureOf('check', error) }
  }
}

function accept(found: FoundPackage, context: CheckContext): Checked {
  const manifest = shaped(found)
  const { id } = manifest
  const decision = mayRun(id, context.policy)
  const { api } = manifest.requires
  if (decision.ok && !satisfies(context.host.api, api)) {
    const range = validRange(api) ? api : `${api} (which is not a SemVer range)`
    const parameters = { plugin: id, range, host: context.host.name, api: context.host.api }
    throw kernelErrors.error('API_INCOMPATIBLE', parameters, { plugin: id })
  }
  for (const permission of manifest.permissions ?? noStrings) parsePermission(id, permission)
  const notes: string[] = []
  const contributes = checkContributions(manifest, context.points, notes)
  return {
    manifest: withDefaults(manifest, contributes),
    notes: notes.length === 0 ? noStrings : notes,
    denied: decision.ok ? undefined : decision.reason,
  }
}

const noStrings: readonly string[] = Object.freeze([])
const noContributions: Readonly<Record<string, never>> = Object.freeze({})
const noDependencies: readonly never[] = Object.freeze([])

function withDefaults(manifest: Manifest, contributes: AcceptedManifest['contributes']): AcceptedManifest {
  return {
    ...manifest,
    main: manifest.main ?? 'index.js',
    contributes,
    dependencies: manifest.dependencies ?? noDependencies,
    permissions: manifest.permissions ?? noStrings,
    activation: manifest.activation ?? 'lazy',
    criticality: manifest.criticality ?? 'optional',
  }
}

function shaped({ manifest, manifestPath }: FoundPackage): Manifest {
  if (checkManifestShape(manifest)) return manifest as Manifest
  const errors = checkManifestShape.errors ?? []
  const error = errors.find(({ keyword }) => keyword === 'additionalProperties') ?? errors[0]
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

function problemOf(error: ManifestShapeError | undefined): string {
  if (error?.keyword === 'enum') return `must be one of ${JSON.stringify(error.params['allowedValues'])}`
  if (error?.keyword === 'const') return `must be ${JSON.stringify(error.params['allowedValue'])}`
  if (error?.keyword === 'propertyNames') return `must not hold the key "${String(error.params['propertyName'])}"`
  return error?.message ?? 'is not valid'
}

/** The names the schema allows where an unknown one was found. */
function knownKeys(error: ManifestShapeError): readonly string[] {
  let schema: unknown = manifestSchema
  for (const key of error.schemaPath.split('/').slice(1, -1)) schema = (schema as Record<string, unknown> | undefined)?.[key]
  return Object.keys((schema as { readonly properties?: object } | undefined)?.properties ?? {})
}

/** Each declaration as the point's schema leaves it; for a point this host does not have as it is, with a note. */
function checkContributions(manifest: Manifest, points: Points, notes: string[]): AcceptedManifest['contributes'] {
  const declared = manifest.contributes
  if (declared === undefined) return noContributions
  const contributes: Record<string, Readonly<Record<string, ContributionMetadata>>> = {}
  for (const [id, names] of Object.entries(declared)) {
    const table = points.find(id)
    if (table === undefined) notes.push(`this host has no point ${id}${didYouMean(id, points.ids)}`)
    contributes[id] = table === undefined ? names : checkNames(manifest.id, table, names)
  }
  return contributes
}

function checkNames(
  plugin: string,
  table: PointTable,
  names: Readonly<Record<string, ContributionMetadata>>,
): Readonly<Record<string, ContributionMetadata>> {
  const point = table.point.id
  const entries = Object.entries(names).map(([name, metadata]) => {
    const problem = table.point.kind === 'hook' ? orderProblem(metadata) : undefined
    const checked = table.declared?.(metadata) ?? { value: metadata }
    const isLeftForSetup = table.point.kind === 'data' && Object.keys(metadata).length === 0
    if (problem === undefined && checked.issues === undefined) return [name, checked.value as ContributionMetadata] as const
    if (isLeftForSetup) return [name, metadata] as const
    const issue = firstIssue(checked.issues ?? [])
    const parameters = { plugin, point, name, path: issue.path.slice(1), problem: problem ?? issue.problem }
    throw kernelErrors.error('POINT_METADATA_INVALID', parameters, { plugin, point })
  })
  return Object.fromEntries(entries)
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

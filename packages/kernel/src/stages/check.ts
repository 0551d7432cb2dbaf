import { didYouMean, manifestSchema, type Manifest, type PermissionVocabulary } from '@backplane/sdk'
import { mayRun } from '@backplane/sdk/plugin-names'
import { kernelErrors } from '../errors.ts'
import { checkManifestShape } from '../generated/manifest-check.ts'
import type { ShapeError } from '../shape-check.ts'
import type { KernelOptions, Policy } from '../kernel.ts'
import { noVocabulary, parsePermission } from '../plugins/permissions.ts'
import type { Points } from '../points/points.ts'
import type { Contributed, DeclaredManifest, ManifestSummary } from '../manifest-summary.ts'
import type { AcceptedManifest, FoundPackage } from '../ports.ts'
import { pathText, pointerText } from '../calls/validation.ts'
import type { Failure } from '../record.ts'
import { satisfies, validRange } from '../version-range.ts'
import { checkContributions, contributesOf } from './contributions.ts'
import { failureOf } from './stage-result.ts'
import { countingOf } from './summary.ts'

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
    const { whole, said } = summary === undefined ? readWhole(found) : { whole: undefined, said: summary.manifest }
    const decision = mayRun(said.id, context.policy)
    incompatible = decision.ok ? apiFailure(said, context.host) : undefined
    const { permissions: vocabulary = noVocabulary } = context.options
    for (const permission of said.permissions ?? noStrings) parsePermission(said.id, permission, vocabulary)
    const notes: string[] = []
    const declared = declaredOf(said, checkContributions(said, context.points, notes))
    return {
      declared,
      manifest: whole === undefined ? undefined : withDefaults(whole, declared),
      failure: incompatible,
      denied: decision.ok ? undefined : decision.reason,
      notes: notes.length === 0 ? noStrings : notes,
    }
  } catch (error) {
    const failure = incompatible ?? failureOf('check', error)
    return { declared: undefined, manifest: undefined, failure, denied: undefined, notes: noStrings }
  }
}

function readWhole(found: FoundPackage): { readonly whole: Manifest; readonly said: Summarised } {
  const whole = shaped(found)
  return { whole, said: countingOf(whole) }
}

function apiFailure({ id, requires }: Summarised, host: CheckContext['host']): Failure | undefined {
  if (satisfies(host.api, requires.api)) return undefined
  const range = validRange(requires.api) ? requires.api : `${requires.api} (which is not a SemVer range)`
  const parameters = { plugin: id, range, host: host.name, api: host.api }
  return failureOf('check', kernelErrors.error('API_INCOMPATIBLE', parameters, { plugin: id }))
}

type Summarised = ManifestSummary['manifest']

const noStrings: readonly string[] = Object.freeze([])
const noDependencies: readonly never[] = Object.freeze([])

function withDefaults(manifest: Manifest, declared: DeclaredManifest): AcceptedManifest {
  const { main = 'index.js', contributes = {} } = manifest
  const { contributions, dependencies, permissions, activation, criticality } = declared
  const defaults = { main, dependencies, permissions, activation, criticality }
  return { ...manifest, ...defaults, contributes: contributesOf(contributions, contributes) }
}

function declaredOf(manifest: Summarised, contributions: readonly Contributed[]): DeclaredManifest {
  const { id, version, requires, provides, activation = 'lazy', criticality = 'optional' } = manifest
  const { dependencies = noDependencies, permissions = noStrings } = manifest
  const offered = provides === undefined ? {} : { provides }
  return { id, version, requires, ...offered, contributions, dependencies, permissions, activation, criticality }
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

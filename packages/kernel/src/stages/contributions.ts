import { didYouMean, type ContributionMetadata, type Manifest, type SchemaIssue } from '@backplane/sdk'
import { firstIssue } from '../calls/validation.ts'
import { kernelErrors } from '../errors.ts'
import type { Contributed, ManifestSummary } from '../manifest-summary.ts'
import type { Points } from '../points/points.ts'
import type { PointTable } from '../points/point-table.ts'

type Contributes = NonNullable<Manifest['contributes']>

/** What a manifest declares for points, one after the other. */
export function contributionsOf(contributes: Contributes): readonly Contributed[] {
  return Object.entries(contributes).flatMap(([point, names]) =>
    Object.entries(names).map(([name, metadata]) => ({ point, name, metadata })),
  )
}

/** The other way round, with every point that `declared` names. */
export function contributesOf(contributions: readonly Contributed[], declared: Contributes): Contributes {
  const contributes: Record<string, Record<string, ContributionMetadata>> = {}
  for (const point in declared) contributes[point] = {}
  for (const { point, name, metadata } of contributions) (contributes[point] ??= {})[name] = metadata
  return contributes
}

/**
 * Each declaration as the point's schema leaves it; for a point this host does not have as it is, with a note.
 * Errors: `POINT_NOT_PERMITTED`, `POINT_METADATA_INVALID`.
 */
export function checkContributions(said: Said, points: Points, notes: string[]): readonly Contributed[] {
  const { contributions = none } = said
  let unknown: string | undefined
  return contributions.map((one) => {
    const table = points.find(one.point)
    if (table !== undefined) return checkOne(said, table, one)
    if (one.point !== unknown) notes.push(`this host has no point ${one.point}${didYouMean(one.point, points.ids)}`)
    unknown = one.point
    return one
  })
}

type Said = ManifestSummary['manifest']

const none: readonly never[] = Object.freeze([])

function checkOne({ id: plugin, permissions = none }: Said, table: PointTable, one: Contributed): Contributed {
  const { kind, id: point, permission } = table.point
  if (permission !== undefined && !permissions.includes(permission))
    throw kernelErrors.error('POINT_NOT_PERMITTED', { plugin, point, permission }, { plugin, point, details: { permission } })
  const { name, metadata } = one
  const result = table.declared?.(metadata) ?? { value: metadata }
  const problem = kind === 'hook' ? orderProblem(metadata) : undefined
  if (problem === undefined && result.issues === undefined)
    return result.value === metadata ? one : { point, name, metadata: result.value as ContributionMetadata }
  const isLeftForSetup = kind === 'data' && Object.keys(metadata).length === 0
  if (isLeftForSetup) return one
  throw metadataInvalid(plugin, one, { problem, issues: result.issues ?? [] })
}

function metadataInvalid(
  plugin: string,
  { point, name }: Contributed,
  { problem, issues }: { readonly problem: string | undefined; readonly issues: readonly SchemaIssue[] },
): Error {
  const issue = firstIssue(issues)
  const parameters = { plugin, point, name, path: issue.path.slice(1), problem: problem ?? issue.problem }
  return kernelErrors.error('POINT_METADATA_INVALID', parameters, { plugin, point })
}

/** What is wrong with a handler's place in the order. Source: `HandlerOrder` of the SDK. */
function orderProblem({ phase, before, after }: ContributionMetadata): string | undefined {
  if (phase !== undefined && phase !== 'early' && phase !== 'normal' && phase !== 'late')
    return 'phase must be early, normal or late'
  if (before !== undefined && !isTexts(before)) return 'before must be a list of plugin ids'
  if (after !== undefined && !isTexts(after)) return 'after must be a list of plugin ids'
  return undefined
}

function isTexts(value: unknown): boolean {
  return Array.isArray(value) && value.every((entry) => typeof entry === 'string')
}

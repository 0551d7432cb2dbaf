import { didYouMean } from '@backplane/sdk'
import { kernelErrors } from '../errors.ts'
import type { Points } from '../points/points.ts'
import type { AcceptedManifest, Contribution } from '../ports.ts'
import type { PointTable } from '../points/point-table.ts'
import { firstIssue } from '../calls/validation.ts'

/**
 * Compares what a plugin registered with what its manifest declares; answers the values it added to data points, as
 * their schemas leave them. Points this host does not have are left out.
 * Errors: `POINT_UNDECLARED`, `POINT_NOT_PROVIDED`, `POINT_METHOD_MISSING`, `POINT_METADATA_INVALID`.
 */
export function checkContract(
  plugin: string,
  manifest: AcceptedManifest,
  registered: readonly Contribution[],
  points: Points,
): readonly Contribution[] {
  const data: Contribution[] = []
  const seen = new Set<string>()
  for (const contribution of registered) {
    const { point, name } = contribution
    const table = points.find(point)
    if (!declares(manifest, point, name)) {
      const known = Object.hasOwn(manifest.contributes, point) ? Object.keys(manifest.contributes[point] ?? {}) : []
      const suggestion = didYouMean(name, known)
      throw kernelErrors.error('POINT_UNDECLARED', { plugin, point, name, suggestion }, { plugin, point })
    }
    if (table === undefined || table.point.kind !== contribution.kind) continue
    seen.add(`${point} ${name}`)
    checkMethods(plugin, table, contribution)
    if (contribution.kind === 'data') data.push(checkValue(plugin, table, contribution))
  }
  for (const [point, names] of Object.entries(manifest.contributes)) {
    const table = points.find(point)
    if (table === undefined) continue
    for (const [name, metadata] of Object.entries(names)) {
      const stands = table.point.kind === 'data' && table.declared?.(metadata).issues === undefined
      if (stands || seen.has(`${point} ${name}`)) continue
      const known = registered.flatMap((other) => (other.point === point ? [other.name] : []))
      const parameters = { plugin, point, name, suggestion: didYouMean(name, known) }
      throw kernelErrors.error('POINT_NOT_PROVIDED', parameters, { plugin, point })
    }
  }
  return data
}

/** By own members only: `constructor` is a name every object has. */
function declares({ contributes }: AcceptedManifest, point: string, name: string): boolean {
  return Object.hasOwn(contributes, point) && Object.hasOwn(contributes[point] ?? {}, name)
}

function checkMethods(plugin: string, table: PointTable, { point, name, methods }: Contribution): void {
  if (table.point.kind !== 'provider' || table.open !== undefined) return
  for (const { method, optional } of table.routes.values()) {
    if (optional || methods.includes(method)) continue
    throw kernelErrors.error('POINT_METHOD_MISSING', { plugin, point, name, method }, { plugin, point })
  }
}

function checkValue(plugin: string, table: PointTable, contribution: Contribution): Contribution {
  const { point, name } = contribution
  const checked = table.declared?.(contribution.value) ?? { value: contribution.value }
  if (checked.issues === undefined) return { ...contribution, value: checked.value }
  const { path, problem } = firstIssue(checked.issues)
  throw kernelErrors.error('POINT_METADATA_INVALID', { plugin, point, name, path: path.slice(1), problem }, { plugin, point })
}

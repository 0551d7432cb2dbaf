import { hash } from 'node:crypto'
import { manifestSchema, type Manifest } from '@backplane/sdk'
import type { ManifestSummary } from '../manifest-summary.ts'
import { permissionVerbs } from '../plugins/permissions.ts'
import type { FoundPackage } from '../ports.ts'
import { contributionsOf } from './contributions.ts'

let known: string | undefined

/** Names the rules that a manifest is held to by itself. */
export function manifestRules(): string {
  known ??= hash(
    'sha256',
    JSON.stringify([manifestSchema, permissionVerbs, 'permissions', 'provides', 'contributions']),
    'base64url',
  )
  return known
}

/** The package's summary, when it was made under the rules that hold now. */
export function usableSummary({ summary }: FoundPackage): ManifestSummary | undefined {
  return summary?.rules === manifestRules() ? summary : undefined
}

/** What is to be remembered of an accepted manifest: its own words, before any point's schema saw them. */
export function summaryOf({ manifest }: FoundPackage): ManifestSummary {
  return { rules: manifestRules(), manifest: countingOf(manifest as Manifest) }
}

/** What counts of a manifest before a start; what says no more than its default is left out. */
export function countingOf(manifest: Manifest): ManifestSummary['manifest'] {
  const { id, version, requires, provides, contributes, dependencies, permissions, activation, criticality } = manifest
  return {
    id,
    version,
    requires,
    ...(provides === undefined ? {} : { provides }),
    ...(contributes === undefined ? {} : { contributions: contributionsOf(contributes) }),
    ...(dependencies === undefined || dependencies.length === 0 ? {} : { dependencies }),
    ...(permissions === undefined || permissions.length === 0 ? {} : { permissions }),
    ...(activation === undefined || activation === 'lazy' ? {} : { activation }),
    ...(criticality === undefined || criticality === 'optional' ? {} : { criticality }),
  }
}

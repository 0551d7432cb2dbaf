import type { FoundPackage, SourceProblem } from '@backplane/kernel'
import type { PlatformError } from '@backplane/sdk'
import type { Place } from './discover.ts'
import { foundPackage, type PackageFacts, type Stager } from './found-package.ts'
import { readManifest } from './read-manifest.ts'

/** A package, or why it cannot be one. */
export type PackageReading =
  | { readonly kind: 'package'; readonly found: FoundPackage }
  | { readonly kind: 'problem'; readonly problem: SourceProblem }

/** Reads what a place holds. `known` is the manifest of exactly this state, read earlier. */
export function readPlace(place: Omit<Place, 'root'>, stager: Stager, known?: { readonly manifest: unknown }): PackageReading {
  const { path, kind, look, dialect } = place
  const read = (facts: Pick<PackageFacts, 'manifest' | 'manifestPath' | 'main' | 'adapter'>): PackageReading => {
    return { kind: 'package', found: foundPackage({ path, kind, fingerprint: look.fingerprint, ...facts }, stager) }
  }
  if (dialect?.kind === 'failed') return failed(path, dialect.error)
  if (dialect?.kind === 'read') return read({ ...dialect.package, manifestPath: path })
  const manifestPath = `${path}/plugin.json`
  if (known !== undefined) return read({ manifest: known.manifest, manifestPath })
  const reading = readManifest(manifestPath, stager.limits)
  return reading.kind === 'read' ? read({ manifest: reading.manifest, manifestPath }) : failed(path, reading.error)
}

function failed(path: string, error: PlatformError): PackageReading {
  return { kind: 'problem', problem: { path, error: error.toJSON() } }
}

import type { SourceProblem } from '@backplane/kernel'
import type { PlatformError } from '@backplane/sdk'
import type { Place } from './discover.ts'
import { FilePackage, type PackageFacts, type Stager } from './found-package.ts'
import { readManifest } from './read-manifest.ts'

/** A package, or why it cannot be one. */
export type PackageReading =
  | { readonly kind: 'package'; readonly found: FilePackage }
  | { readonly kind: 'problem'; readonly problem: SourceProblem }

/** Reads what a place holds. */
export function readPlace({ path, kind, look, dialect }: Omit<Place, 'root'>, stager: Stager): PackageReading {
  const read = (manifest: unknown, facts: Pick<PackageFacts, 'manifestPath' | 'main' | 'adapter'>): PackageReading => {
    return { kind: 'package', found: FilePackage.read(manifest, { path, kind, fingerprint: look.fingerprint, ...facts }, stager) }
  }
  if (dialect?.kind === 'failed') return failed(path, dialect.error)
  if (dialect?.kind === 'read') {
    const { manifest, main, adapter } = dialect.package
    return read(manifest, { manifestPath: path, main, adapter })
  }
  const manifestPath = `${path}/plugin.json`
  const reading = readManifest(manifestPath, stager.limits)
  return reading.kind === 'read' ? read(reading.manifest, { manifestPath }) : failed(path, reading.error)
}

function failed(path: string, error: PlatformError): PackageReading {
  return { kind: 'problem', problem: { path, error: error.toJSON() } }
}

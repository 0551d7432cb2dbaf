import type { Manifest } from '@backplane/sdk'
import type { AcceptedManifest } from './ports.ts'

/** What the kernel goes by as long as a plugin does not start: the rest of a manifest is read when it is needed. */
export type DeclaredManifest = Pick<
  AcceptedManifest,
  'id' | 'version' | 'requires' | 'provides' | 'contributes' | 'dependencies' | 'permissions' | 'activation' | 'criticality'
>

/**
 * What the kernel read of a manifest that kept the rules, for a source to remember with the package as long as nothing of
 * that changes. JSON. What depends on the host (API, policy, points) is decided anew at each start, and the whole
 * manifest is checked again before anything of the plugin runs.
 */
export interface ManifestSummary {
  /** Names the rules it kept; under others it says nothing. */
  readonly rules: string
  readonly manifest: Pick<Manifest, keyof DeclaredManifest>
}

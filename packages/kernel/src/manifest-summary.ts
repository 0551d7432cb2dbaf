import type { ContributionMetadata, Manifest } from '@backplane/sdk'
import type { AcceptedManifest } from './ports.ts'

/** One name that a plugin fills a point under. */
export interface Contributed {
  readonly point: string
  readonly name: string
  readonly metadata: ContributionMetadata
}

type Counting = 'id' | 'version' | 'requires' | 'provides' | 'dependencies' | 'permissions' | 'activation' | 'criticality'

/**
 * What the kernel goes by as long as a plugin does not start: the rest of a manifest is read when it is needed. What it
 * contributes is a list here: an engine is slow with thousands of objects of which each has a member nobody else has.
 */
export interface DeclaredManifest extends Pick<AcceptedManifest, Counting> {
  readonly contributions: readonly Contributed[]
}

/**
 * What the kernel read of a manifest that kept the rules, for a source to remember with the package as long as nothing of
 * that changes. JSON. What depends on the host (API, policy, points) is decided anew at each start, and the whole
 * manifest is checked again before anything of the plugin runs.
 */
export interface ManifestSummary {
  /** Names the rules it kept; under others it says nothing. */
  readonly rules: string
  readonly manifest: Pick<Manifest, Counting> & Partial<Pick<DeclaredManifest, 'contributions'>>
}

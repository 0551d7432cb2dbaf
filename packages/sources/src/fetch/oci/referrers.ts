import type { Attestation } from '@backplane/trust'
import { jsonIn } from '../download-json.ts'
import { isAttestationType } from './media-types.ts'
import type { OciLimits } from './oci-limits.ts'
import type { ArtifactIndex } from './oci-manifest.ts'
import type { OciRepository } from './oci-repository.ts'

/**
 * What others have put beside a manifest: DSSE envelopes and sigstore bundles; other things are not read. Asked for by the
 * registry's list, or by the tag that stands for it where there is none. Errors: those of {@link OciRepository}. Source: OCI
 * distribution 1.1, "Listing referrers" and "Referrers tag schema".
 */
export async function attestationsAbout(
  repository: OciRepository,
  digest: string,
  { attestations: most, attestationBytes }: OciLimits,
): Promise<readonly Attestation[]> {
  const listed = (await repository.referrers(digest)) ?? (await taggedReferrers(repository, digest))
  const descriptors = listed?.manifests.map(({ descriptor }) => descriptor) ?? []
  const about = descriptors.filter(({ artifactType }) => isAttestationType(artifactType)).slice(0, most)
  const found: Attestation[] = []
  for (const each of about) {
    const { manifest } = await repository.manifest(each.digest)
    if (manifest.kind !== 'manifest' || manifest.subject?.digest !== digest) continue
    const [layer] = manifest.layers
    if (layer === undefined || !isAttestationType(layer.mediaType)) continue
    const file = `${repository.place}@${each.digest}`
    found.push({ file, content: jsonIn(await repository.blob(layer, attestationBytes), file) })
  }
  return found
}

/** The list under the tag that a registry without lists of its own keeps it. */
export async function taggedReferrers(repository: OciRepository, digest: string): Promise<ArtifactIndex | undefined> {
  const found = await repository.manifestIfAny(referrersTag(digest))
  return found?.manifest.kind === 'index' ? found.manifest : undefined
}

/** `sha256-…`. */
export function referrersTag(digest: string): string {
  return digest.replace(':', '-')
}

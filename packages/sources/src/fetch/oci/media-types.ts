/** What a package is, among the artifacts of a registry: `artifactType` of its manifest. */
export const packageArtifact = 'application/vnd.backplane.plugin.v1'
/** `plugin.json`, byte for byte. */
export const packageConfig = 'application/vnd.backplane.plugin.manifest.v1+json'
/** The package as a `.tgz`. */
export const packageLayer = 'application/vnd.backplane.plugin.package.v1.tar+gzip'

/** A manifest of one artifact. Source: OCI image 1.1, "Image manifest". */
export const manifestType = 'application/vnd.oci.image.manifest.v1+json'
/** A list of manifests. Source: OCI image 1.1, "Image index". */
export const indexType = 'application/vnd.oci.image.index.v1+json'
/** For manifests that need no configuration. */
export const emptyType = 'application/vnd.oci.empty.v1+json'

/** A DSSE envelope. */
export const envelopeType = 'application/vnd.dsse.envelope.v1+json'
const bundlePrefix = 'application/vnd.dev.sigstore.bundle'

/** Whether an artifact of this type says something about another that a verdict can read. */
export function isAttestationType(type: unknown): boolean {
  return typeof type === 'string' && (type === envelopeType || type.startsWith(bundlePrefix))
}

/** The type of a DSSE envelope or a sigstore bundle, by what is in it. */
export function attestationTypeOf(content: unknown): string {
  const said: unknown = Reflect.get(Object(content), 'mediaType')
  return typeof said === 'string' && said.startsWith(bundlePrefix) ? said : envelopeType
}

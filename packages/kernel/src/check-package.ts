import type { Manifest } from '@backplane/sdk'
import { compileConfigSchema } from './config-check.ts'
import { kernelErrors } from './errors.ts'

/** How far a package may be looked into. */
export interface PackageCheck {
  /** Whether the verdict takes it; of another the schema of settings is not compiled. Default true. */
  readonly isTrusted?: boolean
}

/**
 * Whether what a manifest says of its package can be so, before it is installed: what would else fail only at the first start.
 * `paths` are those of the package's files. Nothing of it runs and nothing is fetched. Errors: `MANIFEST_MAIN_MISSING`,
 * `MANIFEST_MAIN_UNSAID`, `CONFIG_SCHEMA_INVALID`.
 */
export async function checkPackage(
  { id, main, config }: Manifest,
  paths: ReadonlySet<string>,
  { isTrusted = true }: PackageCheck = {},
): Promise<void> {
  const about = { plugin: id, details: { path: '$.main' } }
  if (main === undefined && !paths.has('index.js')) throw kernelErrors.error('MANIFEST_MAIN_UNSAID', { plugin: id }, about)
  const plain = main?.replaceAll(/(^|\/)(?:\.?\/)+/g, '$1')
  if (main !== undefined && plain !== undefined && !paths.has(plain)) {
    throw kernelErrors.error('MANIFEST_MAIN_MISSING', { plugin: id, main }, about)
  }
  if (config !== undefined && isTrusted) await compileConfigSchema(id, config)
}

import type { Manifest } from '@backplane/sdk'
import { compileConfigSchema } from './config-check.ts'
import { kernelErrors } from './errors.ts'

/**
 * Whether what a manifest says of its package can be so, before it is installed: what would else fail only at the first start.
 * `paths` are those of the package's files. Nothing of it runs and nothing is fetched; ask it of packages that are trusted, as
 * their schema of settings is compiled. Errors: `MANIFEST_MAIN_MISSING`, `CONFIG_SCHEMA_INVALID`.
 */
export async function checkPackage({ id, main, config }: Manifest, paths: ReadonlySet<string>): Promise<void> {
  const plain = main?.replaceAll(/(^|\/)(?:\.?\/)+/g, '$1')
  if (main !== undefined && plain !== undefined && !paths.has(plain)) {
    throw kernelErrors.error('MANIFEST_MAIN_MISSING', { plugin: id, main }, { plugin: id, details: { path: '$.main' } })
  }
  if (config !== undefined) await compileConfigSchema(id, config)
}

import { globSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { ErrorCatalogue, ErrorSpec } from '@backplane/sdk'
import { readWorkspaces, root } from './workspaces.ts'

/** The catalogues of one package. */
export interface PackageErrors {
  readonly package: string
  readonly specs: readonly (readonly [code: string, spec: ErrorSpec])[]
}

/** Every catalogue of the repository: whatever a file named `errors.ts` exports. */
export async function readErrorCatalogues(): Promise<readonly PackageErrors[]> {
  const found: PackageErrors[] = []
  for (const { directory, manifest } of readWorkspaces()) {
    const files = globSync('src/**/errors.ts', { cwd: join(root, directory) }).sort()
    const modules = await Promise.all(files.map((file) => import(pathToFileURL(join(root, directory, file)).href)))
    const catalogues = modules.flatMap((each: object) => Object.values(each)).filter(isCatalogue)
    const specs = catalogues.flatMap(({ specs: own }) => Object.entries(own))
    if (specs.length > 0) found.push({ package: manifest.name, specs })
  }
  return found
}

function isCatalogue(value: unknown): value is ErrorCatalogue {
  return typeof value === 'object' && value !== null && 'area' in value && 'specs' in value
}

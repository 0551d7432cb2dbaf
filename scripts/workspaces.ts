import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The repository. */
export const root: string = fileURLToPath(new URL('..', import.meta.url)).replace(/\/$/, '')

/** What matters here of a `package.json`. */
export interface PackageManifest {
  readonly name: string
  readonly private?: boolean
  readonly exports?: Readonly<Record<string, Readonly<Record<string, string>> | string>>
  readonly dependencies?: Readonly<Record<string, string>>
  readonly devDependencies?: Readonly<Record<string, string>>
}

/** One npm workspace with its TypeScript. */
export interface Workspace {
  /** Relative to the repository, such as `packages/sdk`. */
  readonly directory: string
  readonly manifest: PackageManifest
  /** Relative to the workspace, with their text. */
  readonly files: ReadonlyMap<string, string>
}

/** The workspaces of this repository, sorted by directory. */
export function readWorkspaces(): readonly Workspace[] {
  const { workspaces } = readJson('package.json') as { readonly workspaces: readonly string[] }
  const manifests = globSync(
    workspaces.map((glob) => `${glob}/package.json`),
    { cwd: root },
  )
  return manifests.sort().map((path) => {
    const directory = path.slice(0, -'/package.json'.length)
    const files = globSync('src/**/*.ts', { cwd: join(root, directory) }).sort()
    return {
      directory,
      manifest: readJson(path) as PackageManifest,
      files: new Map(files.map((file) => [file, readFileSync(join(root, directory, file), 'utf8')])),
    }
  })
}

/** A JSON file of the repository. */
export function readJson(path: string): unknown {
  return JSON.parse(readFileSync(join(root, path), 'utf8'))
}

/*
 * Looks at what would be published: every path a package exports is in its archive, and nothing of its tests is.
 * Run it after a build.
 */
import { execFileSync } from 'node:child_process'
import { readWorkspaces, root, type PackageManifest } from './workspaces.ts'

interface Packed {
  readonly name: string
  readonly files: readonly { readonly path: string }[]
}

const output = execFileSync('npm', ['pack', '--dry-run', '--json', '--workspaces', '--ignore-scripts'], {
  cwd: root,
  stdio: ['ignore', 'pipe', 'ignore'],
  maxBuffer: 64 * 1024 * 1024,
})
const packed = Object.values(JSON.parse(output.toString()) as Readonly<Record<string, Packed>>)
const manifests = new Map(readWorkspaces().map(({ manifest }) => [manifest.name, manifest]))
const problems = packed.flatMap(({ name, files }) => {
  const paths = new Set(files.map(({ path }) => path))
  const missing = exportedPaths(manifests.get(name)).filter((path) => !paths.has(path))
  const stray = [...paths].filter((path) => /\.(?:test|types)\.|\.tsbuildinfo$/.test(path))
  return [
    ...missing.map((path) => `${name} exports ${path}, which is not packed`),
    ...stray.map((path) => `${name} packs ${path}`),
  ]
})

for (const problem of problems) process.stdout.write(`${problem}\n`)
if (problems.length > 0) process.exitCode = 1
else process.stdout.write(`${packed.length} packages can be published\n`)

/** The source condition is for this repository alone. */
function exportedPaths(manifest: PackageManifest | undefined): readonly string[] {
  const targets = Object.values(manifest?.exports ?? {}).flatMap((target) => {
    if (typeof target === 'string') return [target]
    return Object.entries(target).flatMap(([condition, path]) => (condition === '@backplane/source' ? [] : [path]))
  })
  return targets.map((target) => target.replace(/^\.\//, ''))
}

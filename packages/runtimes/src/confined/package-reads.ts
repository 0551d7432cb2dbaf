import { readFile, realpath, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/**
 * The directories that must be readable so that the given modules can be imported: their packages and all these depend
 * on, except `provided` ones, which are imported from elsewhere. A package reached through a link is named both ways,
 * because the permission model matches paths as written.
 */
export async function packageReads(moduleUrls: readonly string[], provided: readonly string[]): Promise<readonly string[]> {
  const found = new Set<string>()
  const add = async (directory: string | undefined): Promise<void> => {
    if (directory === undefined || found.has(directory)) return
    found.add(directory)
    const real = await realpath(directory)
    if (real !== directory) return add(real)
    const names = dependencyNames(await readPackage(directory)).filter((name) => !provided.includes(name))
    await Promise.all(names.map(async (name) => add(await findDependency(directory, name))))
  }
  await Promise.all(moduleUrls.map(async (url) => add(await packageOf(fileURLToPath(url)))))
  return [...found]
}

/** The package a file belongs to: the nearest directory above it whose package.json has a name. */
async function packageOf(file: string): Promise<string> {
  for (let directory = dirname(file); directory !== dirname(directory); directory = dirname(directory)) {
    const known = await readPackage(directory)
    if (typeof known?.['name'] === 'string') return directory
  }
  return file
}

/** Where Node finds `name` when a module in `from` imports it; undefined for one that is not installed. */
async function findDependency(from: string, name: string): Promise<string | undefined> {
  for (let directory = from; directory !== dirname(directory); directory = dirname(directory)) {
    const candidate = join(directory, 'node_modules', name)
    const there = await stat(candidate).catch(() => undefined)
    if (there?.isDirectory() === true) return candidate
  }
  return undefined
}

function dependencyNames(json: Readonly<Record<string, unknown>> | undefined): readonly string[] {
  return ['dependencies', 'optionalDependencies', 'peerDependencies'].flatMap((kind) => Object.keys(Object(json?.[kind])))
}

async function readPackage(directory: string): Promise<Readonly<Record<string, unknown>> | undefined> {
  try {
    return Object(JSON.parse(await readFile(join(directory, 'package.json'), 'utf8'))) as Record<string, unknown>
  } catch {
    return undefined
  }
}

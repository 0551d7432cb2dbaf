import { readFile, realpath, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseModule } from '../bundle/parsed-module.ts'

/**
 * The directories that must be readable so that the given modules can be imported: their packages and all these depend
 * on, except `provided` ones, which are imported from elsewhere. A package reached through a link is named both ways,
 * because the permission model matches paths as written.
 */
export async function packageReads(moduleUrls: readonly string[], provided: readonly string[]): Promise<readonly string[]> {
  const found = new Set<string>()
  await Promise.all(moduleUrls.map(async (url) => addPackage(await packageOf(fileURLToPath(url)), provided, found)))
  return [...found]
}

/**
 * What must be readable so that one module of a larger package can be imported: that file and those it imports by a
 * relative path, not the package; of other packages all.
 */
export async function moduleReads(moduleUrl: string, provided: readonly string[]): Promise<readonly string[]> {
  const found = new Set<string>()
  const add = async (url: string): Promise<void> => {
    const path = fileURLToPath(url)
    if (found.has(path)) return
    found.add(path)
    const { imports, reExports } = await parseModule(url)
    for (const { from } of [...imports, ...reExports]) {
      const name = /^(?:@[^/]+\/)?[^/]+/.exec(from)?.[0] ?? from
      if (from.startsWith('.')) await add(new URL(from, url).href)
      else if (!from.startsWith('node:') && !provided.includes(name)) {
        await addPackage(await findDependency(dirname(path), name), provided, found)
      }
    }
  }
  await add(moduleUrl)
  const directory = await packageOf(fileURLToPath(moduleUrl))
  return [join(directory, 'package.json'), ...found]
}

async function addPackage(directory: string | undefined, provided: readonly string[], found: Set<string>): Promise<void> {
  if (directory === undefined || found.has(directory)) return
  found.add(directory)
  const real = await realpath(directory)
  if (real !== directory) return addPackage(real, provided, found)
  const names = dependencyNames(await readPackage(directory)).filter((name) => !provided.includes(name))
  await Promise.all(names.map(async (name) => addPackage(await findDependency(directory, name), provided, found)))
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

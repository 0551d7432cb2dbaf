import { readFile, stat } from 'node:fs/promises'
import { basename, extname, join, normalize } from 'node:path'
import type { Dialect, DialectCandidate, DialectPackage } from '@backplane/sources'
import { readPluginInfo } from './plugin-info.ts'
import { seedManifest } from './seed-manifest.ts'

/** Beside this module: source beside source, built beside built. */
const adapterUrl = new URL(`./adapt${extname(import.meta.url)}`, import.meta.url).href
const largestModuleBytes = 4 * 1024 * 1024
const indexNames = ['index', 'main'].flatMap((name) => ['js', 'mjs', 'cjs', 'ts'].map((ending) => `${name}.${ending}`))

/**
 * Takes modules that export `PluginInfo` and `NewProvider`, as the seed's development guide teaches, for plugins: a
 * single file, or a folder with an index or main module or a `package.json` that names one. Nothing of them runs before the
 * kernel has decided. Source: seed 001 "Plugin Structure".
 */
export function seedDialect(): Dialect {
  return {
    name: 'PluginInfo/NewProvider',
    read: async (candidate) => {
      const main = candidate.kind === 'file' ? basename(candidate.path) : await mainOf(candidate.path)
      return main === undefined ? undefined : readModule(candidate, main)
    },
  }
}

async function readModule(candidate: DialectCandidate, main: string): Promise<DialectPackage | undefined> {
  const path = candidate.kind === 'file' ? candidate.path : join(candidate.path, main)
  const stats = await stat(path).catch(() => undefined)
  if (stats?.isFile() !== true || stats.size > largestModuleBytes) return undefined
  const info = readPluginInfo(await readFile(path, 'utf8'), path)
  if (info === undefined) return undefined
  return { manifest: seedManifest(info, main, path), main, adapter: adapterUrl }
}

async function mainOf(folder: string): Promise<string | undefined> {
  const text = await readFile(join(folder, 'package.json'), 'utf8').catch(() => undefined)
  const named = text === undefined ? undefined : entryOf(text)
  for (const name of named === undefined ? indexNames : [named]) {
    if ((await stat(join(folder, name)).catch(() => undefined))?.isFile() === true) return name
  }
  return undefined
}

/** The `main` of a package.json, when it stays inside the folder. A broken file says nothing about whose it is. */
function entryOf(text: string): string | undefined {
  try {
    const main: unknown = Reflect.get(Object(JSON.parse(text)), 'main')
    if (typeof main !== 'string') return undefined
    const path = normalize(main)
    return path.startsWith('..') || path.startsWith('/') ? undefined : path
  } catch {
    return undefined
  }
}

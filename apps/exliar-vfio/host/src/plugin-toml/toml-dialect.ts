import { stat } from 'node:fs/promises'
import { extname, join, normalize } from 'node:path'
import type { Dialect } from '@backplane/sources'
import { exliarErrors } from '../errors.ts'
import { errnoOf } from '../machine/errno-of.ts'
import { readFileInside } from '../machine/read-file.ts'
import { readToml } from '../toml/read-toml.ts'
import { tomlManifest } from './toml-manifest.ts'
import { usedNames } from './used-names.ts'

/** Beside this module: source beside source, built beside built. */
const adapterUrl = new URL(`./adapt${extname(import.meta.url)}`, import.meta.url).href
const manifestName = 'plugin.toml'
const mainNames = ['index.js', 'index.mjs', 'index.ts', 'main.js', 'main.mjs', 'main.ts']
const largestManifestBytes = 1024 * 1024
const largestModuleBytes = 4 * 1024 * 1024

/**
 * Takes folders with a `plugin.toml` and a module that exports `createPlugin` for plugins. Nothing of them runs before the
 * kernel has decided. `bundled` are the names of plugins that ship with the host. Source: seed 004, "Packaging".
 */
export function tomlDialect(bundled: ReadonlySet<string>): Dialect {
  return {
    name: manifestName,
    marks: [manifestName],
    read: async ({ path: folder, kind }) => {
      if (kind !== 'folder') return undefined
      const file = join(folder, manifestName)
      const text = readPlain(file, largestManifestBytes)
      if (text === undefined) return undefined
      const toml = readToml(text, file)
      const main = await mainOf(folder, toml.value['main'])
      if (main === undefined) {
        const problem = `the module is missing: ${mainNames.slice(0, 2).join(', ')} or what main names`
        throw exliarErrors.error('PLUGIN_TOML_INVALID', { place: toml.locate(['main']), problem, suggestion: '' })
      }
      const used = usedNames(readPlain(join(folder, main), largestModuleBytes) ?? '')
      return { manifest: tomlManifest(toml, { used, main, bundled }), main, adapter: adapterUrl }
    },
  }
}

/** Neither a link nor a pipe, which would be waited for; undefined when it is missing. */
function readPlain(path: string, mostBytes: number): string | undefined {
  try {
    return readFileInside(path, mostBytes).toString('utf8')
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined
    throw error
  }
}

async function mainOf(folder: string, named: unknown): Promise<string | undefined> {
  const names = typeof named === 'string' ? [normalize(named)] : mainNames
  for (const name of names.filter((one) => !one.startsWith('..') && !one.startsWith('/'))) {
    const stats = await stat(join(folder, name)).catch(() => undefined)
    if (stats?.isFile() === true && stats.size <= largestModuleBytes) return name
  }
  return undefined
}

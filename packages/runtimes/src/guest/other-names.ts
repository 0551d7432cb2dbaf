import { syncBuiltinESMExports } from 'node:module'
import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

/** What is asked of a directory itself, for reading. */
const readers = ['access', 'exists', 'lstat', 'open', 'opendir', 'readdir', 'realpath', 'stat', 'statfs', 'watch'].flatMap(
  (name) => [name, `${name}Sync`],
)

/**
 * Lets the functions of `node:fs` that read a directory take another name for these directories: link by path. Call it
 * before any code of the plugin's is loaded.
 */
export function useOtherNames(links: Readonly<Record<string, string>>): void {
  const known = new Map(Object.entries(links))
  if (known.size === 0) return
  const named = (path: unknown): unknown => {
    const written = path instanceof URL && path.protocol === 'file:' ? fileURLToPath(path) : path
    const link = typeof written === 'string' ? known.get(resolve(written)) : undefined
    return link === undefined ? path : `${link}/.`
  }
  const fs = process.getBuiltinModule('node:fs')
  for (const functions of [fs, fs.promises]) {
    for (const name of readers) renameFirst(functions, name, named)
  }
  syncBuiltinESMExports()
}

function renameFirst(functions: object, name: string, named: (path: unknown) => unknown): void {
  const original: unknown = Reflect.get(functions, name)
  if (typeof original !== 'function') return
  const renamed = function renamed(this: unknown, path: unknown, ...rest: unknown[]): unknown {
    return Reflect.apply(original, this, [named(path), ...rest])
  }
  Reflect.set(functions, name, Object.defineProperties(renamed, Object.getOwnPropertyDescriptors(original)))
}

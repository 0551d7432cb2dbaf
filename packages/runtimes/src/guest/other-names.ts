import { syncBuiltinESMExports } from 'node:module'
import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { callbackify } from 'node:util'

/** What is asked of a directory itself, for reading. */
const readers = ['access', 'exists', 'lstat', 'open', 'opendir', 'readdir', 'realpath', 'stat', 'statfs', 'watch'].flatMap(
  (name) => [name, `${name}Sync`],
)

/**
 * Lets `mkdir` answer for directories that may be written as the system would, since they are there: the permission model
 * forgets them, not what is in them. Call it before any code of the plugin's is loaded.
 */
export function knowDirectories(paths: readonly string[]): void {
  const known = new Set(paths)
  if (known.size === 0) return
  const fs = process.getBuiltinModule('node:fs')
  const { mkdir, mkdirSync } = fs
  const { mkdir: mkdirLater } = fs.promises
  const isKnown = (path: unknown): boolean => {
    const written = path instanceof URL && path.protocol === 'file:' ? fileURLToPath(path) : path
    return typeof written === 'string' && known.has(resolve(written))
  }
  const answer = (path: unknown, options: unknown): void => {
    if (Reflect.get(Object(options), 'recursive') === true) return
    const message = `EEXIST: file already exists, mkdir '${String(path)}'`
    throw Object.assign(new Error(message), { code: 'EEXIST', errno: -17, syscall: 'mkdir', path })
  }
  Reflect.set(fs, 'mkdirSync', (path: unknown, ...rest: unknown[]): unknown =>
    isKnown(path) ? answer(path, rest[0]) : Reflect.apply(mkdirSync, fs, [path, ...rest]),
  )
  Reflect.set(fs.promises, 'mkdir', async (path: unknown, ...rest: unknown[]): Promise<unknown> =>
    isKnown(path) ? answer(path, rest[0]) : Reflect.apply(mkdirLater, fs.promises, [path, ...rest]),
  )
  Reflect.set(fs, 'mkdir', (path: unknown, ...rest: unknown[]): unknown => {
    const callback = rest.at(-1)
    if (!isKnown(path) || typeof callback !== 'function') return Reflect.apply(mkdir, fs, [path, ...rest])
    callbackify(async () => answer(path, rest[0]))(callback as (error: Error) => void)
    return undefined
  })
  syncBuiltinESMExports()
}

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

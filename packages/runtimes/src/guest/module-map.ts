import { realpathSync } from 'node:fs'
import { registerHooks } from 'node:module'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

/** The host's own copies of modules that plugins may import by name: bare specifier → file URL. */
export type HostModules = Readonly<Record<string, string>>

const modulesByDirectory = new Map<string, HostModules>()
let hooked = false

/**
 * Makes every module under `directory` (or, without one, every module) import the given names from the host's copies; a
 * subpath (`name/sub`) is resolved by the `exports` of the copy's own package. Nobody else's imports change. The hook is
 * per thread and installed once.
 */
export function provideModules(modules: HostModules, directory?: string): void {
  modulesByDirectory.set(directory === undefined ? '' : directoryUrl(realpathSync(directory)), modules)
  if (hooked) return
  hooked = true
  registerHooks({
    resolve: (specifier, context, next) => {
      const known = isBare(specifier) ? modulesFor(context.parentURL) : undefined
      const name = known === undefined ? undefined : nameIn(known, specifier)
      const url = name === undefined ? undefined : known?.[name]
      if (url === undefined) return next(specifier, context)
      if (name === specifier) return { url, shortCircuit: true }
      return next(specifier, { ...context, parentURL: url })
    },
  })
}

/**
 * For a process that runs with `--preserve-symlinks`, because it may read one directory only by the name it was given for
 * it: modules elsewhere are named by their real paths, as they are without that option.
 */
export function keepNamesUnder(directory: string): void {
  const kept = directoryUrl(directory)
  registerHooks({
    resolve: (specifier, context, next) => {
      const resolved = next(specifier, context)
      if (!resolved.url.startsWith('file:') || resolved.url.startsWith(kept)) return resolved
      return { ...resolved, url: realUrl(resolved.url) }
    },
  })
}

function realUrl(text: string): string {
  const url = new URL(text)
  const real = pathToFileURL(realpathSync(fileURLToPath(url)))
  real.search = url.search
  return real.href
}

function directoryUrl(directory: string): string {
  return pathToFileURL(join(directory, '/')).href
}

function modulesFor(importer: string | undefined): HostModules | undefined {
  if (importer === undefined) return undefined
  for (const [directory, modules] of modulesByDirectory) if (importer.startsWith(directory)) return modules
  return undefined
}

function nameIn(modules: HostModules, specifier: string): string | undefined {
  if (Object.hasOwn(modules, specifier)) return specifier
  return Object.keys(modules).find((name) => specifier.startsWith(`${name}/`))
}

function isBare(specifier: string): boolean {
  return !/^(?:[./]|[a-z][a-z0-9+.-]*:)/i.test(specifier)
}

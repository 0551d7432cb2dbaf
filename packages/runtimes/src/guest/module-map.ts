import { realpathSync } from 'node:fs'
import { registerHooks } from 'node:module'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'

/** The host's own copies of modules that plugins may import by name: bare specifier → file URL. */
export type HostModules = Readonly<Record<string, string>>

/** A directory that modules are reached by under another name than its real one. */
export interface MovedDirectory {
  readonly real: string
  readonly given: string
}

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
 * Keeps the names of modules as they were given: Node names a module by its real path, which a process that was granted
 * only the given one could not read.
 */
export function keepGivenNames({ real, given }: MovedDirectory): void {
  const realUrl = directoryUrl(real)
  const givenUrl = directoryUrl(given)
  registerHooks({
    resolve: (specifier, context, next) => {
      const resolved = next(specifier, context)
      return resolved.url.startsWith(realUrl) ? { ...resolved, url: givenUrl + resolved.url.slice(realUrl.length) } : resolved
    },
  })
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

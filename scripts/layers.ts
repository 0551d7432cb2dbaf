import { isBuiltin } from 'node:module'
import { posix } from 'node:path'
import { readImports, type Import } from './read-imports.ts'
import type { Workspace } from './workspaces.ts'

/*
 * Who may import whom. `types:` marks what may only be imported as types: the ports of the kernel, not its code; after a
 * slash stands the one path of a package that may be imported.
 * Everything that is not here is an error, also for `import type`, also for dependencies that nothing imports.
 */
export const packages: Readonly<Record<string, readonly string[]>> = {
  sdk: [],
  rpc: ['sdk'],
  kernel: ['sdk'],
  testing: ['sdk', 'kernel'],
  server: ['sdk', 'kernel'],
  runtimes: ['sdk', 'rpc', 'types:kernel'],
  sources: ['sdk', 'trust', 'types:kernel'],
  trust: ['sdk'],
  storage: ['sdk', 'types:kernel'],
  terminal: ['sdk'],
  cli: ['sdk', 'kernel/check', 'runtimes', 'server/client', 'sources', 'storage', 'terminal', 'trust'],
}

/** The same for the parts of an app, which also have its points; a host may import every package. */
export const apps: Readonly<Record<string, readonly string[]>> = {
  points: ['sdk'],
  plugins: ['sdk'],
  cli: ['sdk', 'server/client', 'terminal'],
}

/** Packages that take little or nothing from others. */
const external: Readonly<Record<string, readonly string[]>> = {
  'packages/sdk': [],
  'packages/rpc': [],
  'packages/kernel': ['ajv', 'semver'],
}

/** Whether a file is only for tests, and may then import what `devDependencies` list. */
export function isTestFile(path: string): boolean {
  return /\.(?:test|suite|types)\.ts$/.test(path) || /(?:^|\/)fixtures\//.test(path)
}

/** Everything in the workspaces that breaks the import table, one sentence each. */
export function layerProblems(workspaces: readonly Workspace[], rootDevDependencies: readonly string[]): readonly string[] {
  const own = new Map(workspaces.map((workspace) => [workspace.manifest.name, workspace]))
  return workspaces.flatMap((workspace) => new Check(workspace, own, rootDevDependencies).problems())
}

class Check {
  readonly #workspace: Workspace
  readonly #own: ReadonlyMap<string, Workspace>
  readonly #rootDevDependencies: readonly string[]
  readonly #problems: string[] = []
  readonly #imported = new Set<string>()
  readonly #importedByTests = new Set<string>()

  constructor(workspace: Workspace, own: ReadonlyMap<string, Workspace>, rootDevDependencies: readonly string[]) {
    this.#workspace = workspace
    this.#own = own
    this.#rootDevDependencies = rootDevDependencies
  }

  problems(): readonly string[] {
    for (const [path, text] of this.#workspace.files) {
      for (const imported of readImports(path, text)) this.#check(path, imported)
    }
    this.#checkDependencies()
    return this.#problems
  }

  #check(path: string, imported: Import): void {
    const { specifier } = imported
    if (specifier.startsWith('.')) this.#checkRelative(path, specifier)
    else if (/^(?:\/|file:)/.test(specifier)) this.#problem(`${path} imports the absolute path ${specifier}`)
    else if (!isBuiltin(specifier)) this.#checkBare(path, imported)
  }

  #checkRelative(path: string, specifier: string): void {
    const target = posix.join(posix.dirname(path), specifier)
    if (target.startsWith('..')) this.#problem(`${path} reaches out of its package with ${specifier}`)
  }

  #checkBare(path: string, { specifier, isTypeOnly }: Import): void {
    const name = /^(?:@[^/]+\/)?[^/]+/.exec(specifier)?.[0] ?? specifier
    const target = this.#own.get(name)
    const isTest = isTestFile(path)
    if (target !== undefined && !isExported(target, specifier)) {
      this.#problem(`${path} imports ${specifier}, which ${name} does not export`)
    }
    if (name === this.#workspace.manifest.name) return
    const { dependencies = {}, devDependencies = {} } = this.#workspace.manifest
    ;(isTest ? this.#importedByTests : this.#imported).add(name)
    const isListed = name in dependencies || (isTest && (name in devDependencies || this.#rootDevDependencies.includes(name)))
    if (!isListed) this.#problem(`${path} imports ${name}, which ${isTest ? 'no list of' : 'dependencies of'} package.json names`)
    if (isTest) return
    if (target !== undefined) this.#checkTable(path, target, { specifier, isTypeOnly })
    else if (external[this.#workspace.directory]?.includes(name) === false) {
      this.#problem(`${path} imports ${name}; this package takes nothing more from outside`)
    }
  }

  #checkTable(path: string, target: Workspace, { specifier, isTypeOnly }: Import): void {
    const subPath = specifier.slice(target.manifest.name.length)
    const allowed = allowance(this.#workspace.directory, target.directory, subPath)
    if (allowed === 'all' || (allowed === 'types' && isTypeOnly)) return
    const what = allowed === 'types' ? 'more than types of ' : ''
    this.#problem(`${path} imports ${what}${target.manifest.name}, which ${this.#workspace.directory} may not`)
  }

  #checkDependencies(): void {
    const { dependencies = {}, devDependencies = {} } = this.#workspace.manifest
    for (const name of Object.keys(dependencies)) {
      if (!this.#imported.has(name)) this.#problem(`package.json lists ${name}, which no module imports`)
      const target = this.#own.get(name)
      if (target !== undefined && allowance(this.#workspace.directory, target.directory) === 'nothing') {
        this.#problem(`package.json lists ${name}, which ${this.#workspace.directory} may not import`)
      }
    }
    for (const name of Object.keys(devDependencies)) {
      const isUsed = this.#importedByTests.has(name.replace('@types/', '')) || this.#imported.has(name.replace('@types/', ''))
      if (!isUsed) this.#problem(`package.json lists ${name} for tests, which no test imports`)
    }
  }

  #problem(text: string): void {
    this.#problems.push(`${this.#workspace.directory}: ${text}`)
  }
}

/** What the workspace in `from` may import of the one in `to`: by a path such as `/client`, or by any without one. */
function allowance(from: string, to: string, subPath?: string): 'all' | 'types' | 'nothing' {
  const [area, name, part] = from.split('/')
  const target = to.startsWith('packages/') ? to.slice('packages/'.length) : undefined
  const isOwnPoints = to === `${area}/${name}/points`
  if (area !== 'packages') {
    if (target === undefined) return isOwnPoints && (part === 'host' || part === 'plugins') ? 'all' : 'nothing'
    return part === 'host' || isAmong(apps[part ?? ''] ?? ['sdk'], target, subPath) ? 'all' : 'nothing'
  }
  if (target === undefined) return 'nothing'
  const allowed = packages[name ?? ''] ?? []
  if (isAmong(allowed, target, subPath)) return 'all'
  return allowed.includes(`types:${target}`) ? 'types' : 'nothing'
}

/** Whether a list of the table names a package, or the one path of it that is meant. */
function isAmong(allowed: readonly string[], target: string, subPath: string | undefined): boolean {
  if (allowed.includes(target)) return true
  const paths = allowed.filter((each) => each.startsWith(`${target}/`))
  return subPath === undefined ? paths.length > 0 : paths.includes(target + subPath)
}

/** A package is imported by its name, or by a path it exports. */
function isExported({ manifest }: Workspace, specifier: string): boolean {
  const path = `.${specifier.slice(manifest.name.length)}`
  return Object.keys(manifest.exports ?? {}).includes(path)
}

import { namesIn, parseModule, type Linked, type ParsedModule } from './parsed-module.ts'

/** What goes into one file. */
export interface BundleRequest {
  /** File URL of the module that is run, or whose exports the bundle exports. */
  readonly entry: string
  /** Bare names that stay imports, and what they are imported from; every other bare name is bundled. */
  readonly external: Readonly<Record<string, string>>
  /**
   * A `module` exports what its entry does. A `program` is CommonJS and exports nothing; Node is some milliseconds faster
   * in getting to it.
   */
  readonly form: 'module' | 'program'
}

/**
 * Writes a module and everything it uses as one file of plain JavaScript. A fresh process spends about half a millisecond
 * on each further file, 40 ms on its first TypeScript file and some on each of Node's own modules; the guest would be
 * thirty files. So a name imported through a module that only passes names on is taken from where it is defined, and what
 * nobody imports is left out.
 *
 * It bundles this platform's own modules and no others: named imports and exports only, no cycles, no exported `let`, no
 * top-level `await`. Anything else is thrown.
 */
export async function bundleModules({ entry, external, form }: BundleRequest): Promise<string> {
  const bundle = new Bundle(external)
  const last = await bundle.add(entry, [])
  if (form === 'program') {
    const required = [...bundle.outside].map(([from, name]) => `const ${name} = require('${from}')`)
    return ["'use strict'", ...required, ...bundle.chunks, ''].join('\n')
  }
  const imported = [...bundle.outside].map(([from, name]) => `import * as ${name} from '${from}'`)
  const names = [...last.exported].join(', ')
  return [...imported, ...bundle.chunks, `export const { ${names} } = ${last.name}`, ''].join('\n')
}

/** A module in the bundle: the constant that holds its exports, and their names. */
interface Bundled {
  readonly name: string
  readonly exported: ReadonlySet<string>
}

const declaring = /^export\s+(?=(?:async\s+)?(?:function\*?|class|const)\s+(?<name>[\w$]+))/gm
const listing = /^export\s+\{(?<names>[^}]*)\};?$/gm

class Bundle {
  /** What is not bundled, and the constant it is bound to. */
  readonly outside = new Map<string, string>()
  /** One per module, dependencies first. */
  readonly chunks: string[] = []
  readonly #external: Readonly<Record<string, string>>
  readonly #parsed = new Map<string, Promise<ParsedModule>>()
  readonly #done = new Map<string, Bundled>()

  constructor(external: Readonly<Record<string, string>>) {
    this.#external = external
  }

  /** Adds a module after everything it uses. */
  async add(url: string, importers: readonly string[]): Promise<Bundled> {
    const known = this.#done.get(url)
    if (known !== undefined) return known
    if (importers.includes(url)) throw new Error(`${url} imports itself through ${importers.join(', ')}`)
    const module = await this.#parse(url)
    const path = [...importers, url]
    const exported = new Map<string, string>()
    let body = module.source
    for (const one of module.imports) body = body.replace(one.text, await this.#import(one, path))
    for (const one of module.reExports) {
      for (const [there, here] of await this.#passedOn(one, path)) exported.set(here, there)
      body = body.replace(one.text, '')
    }
    body = withoutExports(body, exported)
    const left = /^(?:import|export)\s.*$/m.exec(body)
    if (left !== null) throw new Error(`${url} has a statement that is not bundled: ${left[0]}`)
    const bundled = { name: `module${this.#done.size}`, exported: new Set(exported.keys()) }
    const members = [...exported].map(([here, there]) => `${here}: ${there}`).join(', ')
    this.chunks.push(`const ${bundled.name} = (() => {\n${body}\nreturn { ${members} };\n})();`)
    this.#done.set(url, bundled)
    return bundled
  }

  /** The statement that stands for an import. */
  async #import({ what, from }: Linked, path: readonly string[]): Promise<string> {
    const url = this.#resolve(from, path)
    if (what === '') {
      if (url !== undefined) await this.add(url, path)
      return ''
    }
    if (url === undefined) return `const ${bindings(what)} = ${this.#outsideName(from)};`
    if (!what.startsWith('{')) return `const ${bindings(what)} = ${(await this.add(url, path)).name};`
    const parts: string[] = []
    for (const [there, here] of namesIn(what)) {
      const definer = await this.#definer(url, there, path)
      parts.push(`${here} = ${definer}`)
    }
    return parts.length === 0 ? '' : `const ${parts.join(', ')};`
  }

  /** Where a name is defined, through modules that only pass it on, as an expression. */
  async #definer(url: string, name: string, path: readonly string[]): Promise<string> {
    const module = await this.#parse(url)
    if (!module.isBarrel) return `${(await this.add(url, path)).name}.${name}`
    for (const { what, from } of module.reExports) {
      const there = what === '*' ? name : namesIn(what).find(([, here]) => here === name)?.[0]
      const inner = this.#resolve(from, [...path, url])
      if (there === undefined || inner === undefined) continue
      if (what !== '*' || (await this.add(inner, [...path, url])).exported.has(there)) {
        return this.#definer(inner, there, [...path, url])
      }
    }
    throw new Error(`${url} does not export ${name}`)
  }

  async #passedOn({ what, from }: Linked, path: readonly string[]): Promise<readonly (readonly [string, string])[]> {
    const url = this.#resolve(from, path)
    if (url === undefined) throw new Error(`${path.at(-1)} exports again what is not bundled: ${from}`)
    const { name, exported } = await this.add(url, path)
    const names = what === '*' ? [...exported].map((each) => [each, each] as const) : namesIn(what)
    return names.map(([there, here]) => [`${name}.${there}`, here])
  }

  #parse(url: string): Promise<ParsedModule> {
    const parsed = this.#parsed.get(url) ?? parseModule(url)
    this.#parsed.set(url, parsed)
    return parsed
  }

  /** Undefined for what is not bundled. */
  #resolve(specifier: string, path: readonly string[]): string | undefined {
    if (specifier.startsWith('node:') || Object.hasOwn(this.#external, specifier)) return undefined
    return specifier.startsWith('.') ? new URL(specifier, path.at(-1)).href : import.meta.resolve(specifier)
  }

  #outsideName(specifier: string): string {
    const from = this.#external[specifier] ?? specifier
    const name = this.outside.get(from) ?? `outside${this.outside.size}`
    this.outside.set(from, name)
    return name
  }
}

/** A module's text with its exports as plain declarations; their names are added to `exported`. */
function withoutExports(source: string, exported: Map<string, string>): string {
  for (const { groups } of source.matchAll(declaring)) exported.set(groups?.['name'] ?? '', groups?.['name'] ?? '')
  for (const { groups } of source.matchAll(listing)) {
    for (const [there, here] of namesIn(groups?.['names'] ?? '')) exported.set(here, there)
  }
  return source.replaceAll(declaring, '').replaceAll(listing, '')
}

/** `{ a, b as c }` as `{ a, b: c }`, `* as x` as `x`, `x` as `{ default: x }`. */
function bindings(what: string): string {
  if (what.startsWith('{')) return what.replaceAll(/\s+as\s+/g, ': ')
  return what.startsWith('*') ? what.replace(/\*\s+as\s+/, '') : `{ default: ${what} }`
}

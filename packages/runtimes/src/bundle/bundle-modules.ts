import { readFile } from 'node:fs/promises'
import { stripTypeScriptTypes } from 'node:module'

/** What goes into one file. */
export interface BundleRequest {
  /** File URL of the module that is run, or whose exports the bundle exports. */
  readonly entry: string
  /** Bare names that stay imports, and what they are imported from; every other bare name is bundled. */
  readonly external: Readonly<Record<string, string>>
}

/**
 * Writes a module and everything it imports as one plain JavaScript module. A fresh process spends about half a
 * millisecond on each further file and 40 ms on its first TypeScript file; the guest would be thirty of them.
 *
 * It bundles this platform's own modules and no others: named imports and exports only, no cycles, no exported `let`, no
 * top-level `await`. Anything else is thrown.
 */
export async function bundleModules({ entry, external }: BundleRequest): Promise<string> {
  const bundle = new Bundle(external)
  const last = await bundle.add(entry, [])
  const names = [...last.exported].join(', ')
  return [...bundle.outside, ...bundle.chunks, ...(names === '' ? [] : [`export const { ${names} } = ${last.name}`]), ''].join(
    '\n',
  )
}

interface Bundled {
  readonly name: string
  readonly exported: ReadonlySet<string>
}

const importing = /^import\s+(?:(?<what>[\w$*\s{},]+?)\s+from\s+)?'(?<from>[^']+)';?$/gm
const reExporting = /^export\s+(?<what>\*|\{[^}]*\})\s+from\s+'(?<from>[^']+)';?$/gm
const declaring = /^export\s+(?=(?:async\s+)?(?:function\*?|class|const)\s+(?<name>[\w$]+))/gm
const listing = /^export\s+\{(?<names>[^}]*)\};?$/gm

class Bundle {
  /** Import statements of what is not bundled. */
  readonly outside: string[] = []
  /** One per module, dependencies first. */
  readonly chunks: string[] = []
  readonly #external: Readonly<Record<string, string>>
  readonly #outsideNames = new Map<string, string>()
  readonly #done = new Map<string, Bundled>()

  constructor(external: Readonly<Record<string, string>>) {
    this.#external = external
  }

  async add(url: string, importers: readonly string[]): Promise<Bundled> {
    const known = this.#done.get(url)
    if (known !== undefined) return known
    if (importers.includes(url)) throw new Error(`${url} imports itself through ${importers.join(', ')}`)
    const source = await readJavaScript(url)
    const inner = new Map<string, Bundled>()
    for (const { groups } of [...source.matchAll(importing), ...source.matchAll(reExporting)]) {
      const from = groups?.['from'] ?? ''
      if (!this.#isOutside(from)) inner.set(from, await this.add(resolve(from, url), [...importers, url]))
    }
    return this.#write(url, source, inner)
  }

  #write(url: string, source: string, inner: ReadonlyMap<string, Bundled>): Bundled {
    const name = `module${this.#done.size}`
    const exported = new Map<string, string>()
    const from = (specifier: string): string => inner.get(specifier)?.name ?? this.#outsideName(specifier)
    const body = source
      .replaceAll(importing, (...match) => {
        const { what, from: specifier } = groupsOf(match)
        return what === undefined ? '' : `const ${bindings(what)} = ${from(specifier ?? '')};`
      })
      .replaceAll(reExporting, (...match) => {
        const { what = '', from: specifier = '' } = groupsOf(match)
        const module = inner.get(specifier)
        if (module === undefined) throw new Error(`${url} exports again what is not bundled`)
        if (what === '*') for (const each of module.exported) exported.set(each, `${module.name}.${each}`)
        else for (const [local, as] of namesIn(what)) exported.set(as, `${module.name}.${local}`)
        return ''
      })
      .replaceAll(declaring, (...match) => {
        const { name: declared = '' } = groupsOf(match)
        exported.set(declared, declared)
        return ''
      })
      .replaceAll(listing, (...match) => {
        for (const [local, as] of namesIn(groupsOf(match)['names'] ?? '')) exported.set(as, local)
        return ''
      })
    const left = /^(?:import|export)\s.*$/m.exec(body)
    if (left !== null) throw new Error(`${url} has a statement that is not bundled: ${left[0]}`)
    const members = [...exported].map(([as, local]) => (as === local ? as : `${as}: ${local}`)).join(', ')
    this.chunks.push(`const ${name} = (() => {\n${body}\nreturn { ${members} };\n})();`)
    const bundled: Bundled = { name, exported: new Set(exported.keys()) }
    this.#done.set(url, bundled)
    return bundled
  }

  #isOutside(specifier: string): boolean {
    return specifier.startsWith('node:') || Object.hasOwn(this.#external, specifier)
  }

  #outsideName(specifier: string): string {
    const known = this.#outsideNames.get(specifier)
    if (known !== undefined) return known
    const name = `outside${this.#outsideNames.size}`
    this.#outsideNames.set(specifier, name)
    this.outside.push(`import * as ${name} from '${this.#external[specifier] ?? specifier}'`)
    return name
  }
}

async function readJavaScript(url: string): Promise<string> {
  const source = await readFile(new URL(url), 'utf8')
  const script = url.endsWith('.ts') ? withoutTypes(source) : source
  return script.replace(/^\/\/# sourceMappingURL=.*$/m, '')
}

/** Only a repository run from its source comes here. Whoever chose that knows that Node calls stripping experimental. */
function withoutTypes(source: string): string {
  const emitWarning = process.emitWarning.bind(process)
  process.emitWarning = () => undefined
  try {
    return stripTypeScriptTypes(source)
  } finally {
    process.emitWarning = emitWarning
  }
}

function resolve(specifier: string, importer: string): string {
  return specifier.startsWith('.') ? new URL(specifier, importer).href : import.meta.resolve(specifier)
}

/** `{ a, b as c }` as `{ a, b: c }`, `* as x` as `x`, `x` as `{ default: x }`. */
function bindings(what: string): string {
  if (what.startsWith('{')) return what.replaceAll(/\s+as\s+/g, ': ')
  return what.startsWith('*') ? what.replace(/\*\s+as\s+/, '') : `{ default: ${what} }`
}

function namesIn(list: string): readonly (readonly [local: string, as: string])[] {
  const names = list.replaceAll(/[{}]/g, '').split(',')
  return names.flatMap((each) => {
    const [local, as = local] = each.trim().split(/\s+as\s+/)
    return local === undefined || local === '' || as === undefined ? [] : [[local, as] as const]
  })
}

function groupsOf(match: readonly unknown[]): Readonly<Record<string, string | undefined>> {
  return match.at(-1) as Readonly<Record<string, string | undefined>>
}

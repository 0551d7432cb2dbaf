import { readFile } from 'node:fs/promises'
import { withoutTypes } from './without-types.ts'

/** An import or re-export of some names: `{ a, b as c }`, `* as x`, `x`, or nothing. */
export interface Linked {
  /** The whole statement. */
  readonly text: string
  readonly what: string
  readonly from: string
}

/** A module's text, without types, and what it says of other modules. */
export interface ParsedModule {
  readonly url: string
  readonly source: string
  readonly imports: readonly Linked[]
  readonly reExports: readonly Linked[]
  /** It only passes on what other modules export. */
  readonly isBarrel: boolean
}

const importing = /^import\s+(?:(?<what>[\w$*\s{},]+?)\s+from\s+)?'(?<from>[^']+)';?$/gm
const reExporting = /^export\s+(?<what>\*|\{[^}]*\})\s+from\s+'(?<from>[^']+)';?$/gm

/** Reads the module at a file URL. */
export async function parseModule(url: string): Promise<ParsedModule> {
  const text = await readFile(new URL(url), 'utf8')
  const script = url.endsWith('.ts') ? await withoutTypes(text) : text
  const source = script.replace(/^\/\/# sourceMappingURL=.*$/m, '')
  const own = source.replaceAll(reExporting, '').replaceAll(/\/\*[\s\S]*?\*\/|\/\/.*/g, '')
  const imports = linked(source, importing)
  const reExports = linked(source, reExporting)
  return { url, source, imports, reExports, isBarrel: reExports.length > 0 && own.trim() === '' }
}

/** The names of `{ a, b as c }`: those there, and those they get here. */
export function namesIn(list: string): readonly (readonly [there: string, here: string])[] {
  const names = list.replaceAll(/[{}]/g, '').split(',')
  return names.flatMap((each) => {
    const [there, here = there] = each.trim().split(/\s+as\s+/)
    return there === undefined || there === '' || here === undefined ? [] : [[there, here] as const]
  })
}

function linked(source: string, pattern: RegExp): readonly Linked[] {
  return [...source.matchAll(pattern)].map((match) => ({
    text: match[0],
    what: match.groups?.['what'] ?? '',
    from: match.groups?.['from'] ?? '',
  }))
}
